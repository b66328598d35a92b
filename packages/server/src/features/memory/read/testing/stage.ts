import { type TestPlatform, testPlatform } from "../../../../testing/platform.ts";
import type { JsonObject } from "../../../ledger/service.ts";
import type { MemoryReader, MemoryRecord, ReadScope } from "../../types.ts";
import { createMemoryWriter, type MemoryWriter } from "../../write/index.ts";
import { inputs, type ReadName } from "../inputs.ts";
import { countWords } from "../vocabulary.ts";
import { createReads } from "../wire.ts";

/** When and by which app something is written. */
export interface Origin {
  /** Milliseconds; default one second after the write before. */
  readonly at?: number;
  readonly app?: string | null;
}

/** A memory that is written at chosen times by chosen apps, and read as the wire has it. */
export interface Stage extends TestPlatform {
  readonly writer: MemoryWriter;
  /** Everything of the stage's organisation. */
  readonly everything: MemoryReader;
  scoped(scope: ReadScope): MemoryReader;
  /** Does it and gives the id of the first record it made or changed. */
  write(capability: string, payload: JsonObject, origin?: Origin): Promise<string>;
  /** Undoes the last write. */
  undo(): Promise<void>;
  /** Reads with the input as a caller writes it. */
  read<T = Answer>(name: ReadName, input?: Record<string, unknown>, reader?: MemoryReader): Promise<T>;
  /** Ids of the results of a search. */
  found(q: string, input?: Record<string, unknown>, reader?: MemoryReader): Promise<string[]>;
  /** Has every word counted that was written until now. */
  count(): Promise<void>;
  /** The time of the last write. */
  now(): number;
}

/** Rows and numbers, whatever they are. */
// biome-ignore lint/suspicious/noExplicitAny: tests look at fields by name
export type Answer = any;

export async function openStage(): Promise<Stage> {
  const test = await testPlatform();
  const { platform, organizationId } = test;
  const writer = createMemoryWriter(platform, () => null);
  const reads = createReads(platform);
  const everything = { organizationId, scope: null };
  let [nowMs, actions] = [Date.UTC(2026, 0, 1), 0];
  const work = ({ at = nowMs + 1_000, app = null }: Origin) => {
    nowMs = at;
    return { organizationId, actionId: `act_${++actions}`, sourceAppId: app, nowMs };
  };
  const stage: Stage = {
    ...test,
    writer,
    everything,
    scoped: (scope) => ({ organizationId, scope }),
    async write(capability, payload, origin = {}) {
      const { changes } = await platform.database.transaction((tx) =>
        writer.execute(tx, work(origin), capability, payload),
      );
      return changes[0]!.id;
    },
    async undo() {
      const last = `act_${actions}`;
      await platform.database.transaction((tx) => writer.revert(tx, work({}), last));
    },
    async read(name, input = {}, reader = everything) {
      const parsed = inputs[name].parse(input);
      return JSON.parse(JSON.stringify(await reads[name](reader, parsed as never)));
    },
    async found(q, input = {}, reader = everything) {
      const { results } = await stage.read("searchMemory", { q, ...input }, reader);
      return results.map((result: MemoryRecord) => result.id);
    },
    async count() {
      while (await countWords(platform.database));
    },
    now: () => nowMs,
  };
  return stage;
}
