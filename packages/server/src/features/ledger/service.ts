import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import { AmbitError } from "../../kernel/errors.ts";
import { newSortableId } from "../../kernel/ids.ts";
import { createTicker } from "../../kernel/ticker.ts";
import { createWriters } from "./append.ts";
import { type Checkpoints, createCheckpoints } from "./checkpoints.ts";
import { exportedLines } from "./export.ts";
import { limits } from "./limits.ts";
import { ledgerMetrics } from "./metrics.ts";
import { createProofs, entryOf, type Proofs } from "./proofs.ts";
import { type EntryScan, type Opened, openedValues, type Scanned, scanEntries } from "./scan-store.ts";
import { createSchedule } from "./schedule.ts";
import { createSequencer } from "./sequencer.ts";
import { type EntryFilter, type EntryRow, eraseOpenings, selectEntries } from "./store.ts";
import { selectHead } from "./tree-store.ts";
import type { LedgerDraft } from "./types.ts";
import { SEES_ALL, type SeesValues } from "./visibility.ts";

export type { EntryScan, Opened, Scanned } from "./scan-store.ts";
export type { Json, JsonObject, LedgerActor, LedgerDraft } from "./types.ts";

/** The one ledger. Every feature writes to it through `append` or `record`, and through nothing else. */
export interface LedgerService {
  /**
   * Writes an entry as part of `tx`: it is there exactly when what it records is. Written as the transaction's last
   * statement, so that the order of the ledger is the order of commits. Returns the entry's id at once; throws
   * LEDGER_ENTRY_TOO_LARGE, LEDGER_ENTRY_MALFORMED.
   */
  append(tx: Transaction, draft: LedgerDraft): string;
  /**
   * Writes an entry by itself, durable when the promise resolves. Entries that come while one write is under way go
   * together in the next. Rejects with what `append` throws, LEDGER_BUSY (nothing was written) and DATABASE_UNAVAILABLE
   * (the entry may be there all the same when the connection was lost).
   */
  record(draft: LedgerDraft): Promise<string>;
  /**
   * Erases what entries had sealed (all names, or those given) and records that. The entries stay, and stay provable.
   * Returns how many values were erased.
   */
  erase(
    tx: Transaction,
    erasure: {
      readonly organizationId: string;
      /** Entries about these subjects. */
      readonly subjects: readonly string[];
      readonly names?: readonly string[];
      readonly actor: LedgerDraft["actor"];
      readonly reason: string;
    },
  ): Promise<number>;
  /** The next `look` entries of a scan of an organisation's entries, after the entry `after`; see `scanEntries`. */
  scan(organizationId: string, scan: EntryScan, after: string | null, look: number): Promise<Scanned>;
  /** What entries sealed under `name`, in the order of `ids`. Who may see it is for the caller to decide. */
  opened(organizationId: string, ids: readonly string[], name: string): AsyncGenerator<Opened>;
}

/** The ledger with what its own operations read. */
export interface Ledger extends LedgerService {
  readonly checkpoints: Checkpoints;
  readonly proofs: Proofs;
  /** Runs `work` in a transaction of the ledger's own database. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** An organisation's entries, newest first; see `selectEntries`. */
  list(
    organizationId: string,
    filter: EntryFilter,
    limit: number,
  ): Promise<{ rows: EntryRow[]; more: boolean }>;
  /** Throws RESOURCE_NOT_FOUND. */
  get(organizationId: string, id: string): Promise<EntryRow>;
  /**
   * An export up to a fresh checkpoint, in pieces of text, for an organisation. Of a ledger that is broken, as it is: what
   * is wrong with it shows when it is verified. Throws LEDGER_BEHIND.
   */
  export(
    organizationId: string,
    nowMs: number,
    signal?: AbortSignal,
    sees?: SeesValues,
  ): Promise<AsyncGenerator<string>>;
  start(): void;
  /** Writes what waits, ends what is under way, and lets another node place entries. */
  stop(): Promise<void>;
}

export function createLedgerService(platform: Platform): Ledger {
  const { database, log } = platform;
  const metrics = ledgerMetrics(platform.metrics);
  const writers = createWriters(platform, metrics);
  const sequencer = createSequencer(platform, metrics);
  const checkpoints = createCheckpoints(platform, metrics, () => placer.wake());
  const placer = createTicker({
    name: "ledger.place",
    everyMs: limits.placeEveryMs,
    log,
    run: () => sequencer.run(),
  });
  const signIfDue = createSchedule(checkpoints);
  // Apart from placing: what is signed for the first time after a while is looked at entry by entry.
  const signing = createTicker({
    name: "ledger.sign",
    everyMs: limits.placeEveryMs,
    log,
    run: async () => sequencer.placing !== null && signIfDue(sequencer.placing),
  });

  return {
    append: writers.append,
    record: writers.record,
    async erase(tx, { organizationId, subjects, names, actor, reason }) {
      let values = 0;
      for (let first = 0; first < subjects.length; first += limits.erasedSubjects) {
        const some = subjects.slice(first, first + limits.erasedSubjects);
        const erased = await eraseOpenings(tx, { organizationId, subjects: some, names });
        values += erased.values;
        writers.append(tx, {
          ...{ kind: "ledger.erased", organizationId, actor },
          // A subject of its own: what is erased about the others next is not why it was erased before.
          subject: newSortableId("era", platform.clock()),
          data: { subjects: some, names: names ?? null, ...erased },
          sealed: { reason },
        });
      }
      return values;
    },
    scan: (organizationId, scan, after, look) => scanEntries(database, organizationId, scan, after, look),
    opened: (organizationId, ids, name) => openedValues(database, organizationId, ids, name),
    checkpoints,
    proofs: createProofs(database, checkpoints),
    transaction: (work) => database.transaction(work),
    list: (organizationId, filter, limit) => selectEntries(database, organizationId, filter, limit),
    get: (organizationId, id) => entryOf(database, organizationId, id),
    async export(organizationId, nowMs, signal, sees = SEES_ALL) {
      const { origin, publicKey } = await checkpoints.signer();
      const whole = { organizationId, origin, publicKey, nowMs, sees };
      try {
        const { size } = await checkpoints.current(signal);
        return exportedLines(database, { ...whole, size, broken: false });
      } catch (error) {
        if (!(error instanceof AmbitError && error.code === "LEDGER_BROKEN")) throw error;
        const { treeSize: size } = await selectHead(database);
        return exportedLines(database, { ...whole, size, broken: true });
      }
    },
    start() {
      placer.start();
      signing.start();
    },
    async stop() {
      await Promise.all([writers.settled(), placer.stop(), signing.stop()]);
      await sequencer
        .release()
        .catch((error) => log.warn({ err: error }, "the ledger's lease was not given back; it runs out"));
    },
  };
}
