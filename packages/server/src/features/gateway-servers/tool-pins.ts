import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import { createSerial } from "../../kernel/serial.ts";
import type { LedgerDraft, LedgerService } from "../ledger/service.ts";
import type { SeenTool } from "./definitions.ts";
import { toolEntries } from "./entries.ts";
import { serverErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { createPinMemory, type PinMemory } from "./pin-memory.ts";
import { comparePins, isNothing, type Look, type Pin, type PinChanges, stateOf } from "./pins.ts";
import { type Entry, noServer, type Registry } from "./registry.ts";
import { holdServer, type ServerRow } from "./store.ts";
import * as store from "./tool-store.ts";

/** What is remembered of tools. */
export interface ToolPins {
  readonly memory: PinMemory;
  /** Writes down what a list of tools adds; nothing when it adds nothing. Throws QUOTA_GATEWAY_TOOLS. */
  record(entry: Entry, look: Omit<Look, "first">): Promise<void>;
  /**
   * Approves tools as they are now, all or none. Throws RESOURCE_NOT_FOUND, and GATEWAY_TOOL_CHANGED_AGAIN when one is not
   * what was reviewed. Returns how many were not approved before.
   */
  approve(
    entry: Entry,
    reviewed: readonly { readonly name: string; readonly hash: string }[],
    by: { readonly keyId: string; readonly accountId: string },
  ): Promise<number>;
}

export function createToolPins(
  { database, clock }: Pick<Platform, "database" | "clock">,
  { registry, ledger }: { readonly registry: Registry; readonly ledger: Pick<LedgerService, "append"> },
): ToolPins {
  const memory = createPinMemory(database);
  // Those who write about one server wait here for each other, and not with connections to the database in hand.
  const serial = createSerial();

  /** Runs `work` on what is remembered, held against every other writer. */
  const writing = <T>(
    { row }: Entry,
    work: (tx: Transaction, held: ServerRow, known: ReadonlyMap<string, Pin>) => Promise<T>,
  ) =>
    serial(row.id, async () => {
      const result = await database.transaction(async (tx) => {
        const held = await holdServer(tx, row.organization_id, row.id);
        if (held === null) throw noServer(row.id);
        return work(tx, held, (await store.selectPins(tx, row.id))!.tools);
      });
      const entry = await registry.refresh(row.id);
      if (entry !== null) await memory.of(entry);
      return result;
    });

  return {
    memory,
    async record(entry, look) {
      const nowMs = clock();
      const isNews = async () =>
        entry.row.looked_at === null ||
        !isNothing(
          comparePins((await memory.of(entry)).tools, { ...look, first: false }, nowMs - limits.goneMs),
        );
      if (!(await isNews())) return;
      await writing(entry, async (tx, held, known) => {
        const first = held.looked_at === null;
        const changes = comparePins(known, { ...look, first }, nowMs - limits.goneMs);
        if (first || !isNothing(changes)) {
          await writeChanges(tx, held, known, changes, nowMs);
          for (const draft of draftsOf(held, known, changes, first)) ledger.append(tx, draft);
        }
      });
    },
    approve: (entry, reviewed, by) =>
      writing(entry, async (tx, held, known) => {
        const open = reviewedNow(known, reviewed);
        if (open.length === 0) return 0;
        const now = new Date(clock());
        const names = open.map(({ tool }) => tool);
        await store.approvePresent(tx, held.id, names, by.accountId, now);
        await store.bumpTools(tx, held.id, now);
        const actor = { type: "person", id: by.keyId, account: by.accountId } as const;
        const server = { id: held.id, organizationId: held.organization_id };
        for (const draft of toolEntries("approved", server, open, actor)) ledger.append(tx, draft);
        return open.length;
      }),
  };
}

async function writeChanges(
  tx: Transaction,
  { id }: ServerRow,
  known: ReadonlyMap<string, Pin>,
  { pinned, changed, restored, back, gone, forgotten }: PinChanges,
  nowMs: number,
): Promise<void> {
  const now = new Date(nowMs);
  const seen = [...pinned, ...changed, ...restored];
  const added = seen.filter(({ name }) => !known.has(name)).length;
  if (known.size + added - forgotten.length > limits.rememberedTools) {
    throw serverErrors.QUOTA_GATEWAY_TOOLS({
      message: `The server has had more than ${limits.rememberedTools} tools by now.`,
      remediation: "Register it anew: its tools change their names all the time.",
    });
  }
  await store.forgetTools(tx, id, forgotten);
  await store.putPresent(tx, id, seen, now);
  const names = pinned.map(({ name }) => name);
  await store.approvePresent(tx, id, names, null, now);
  await store.setGone(tx, id, back, null);
  await store.setGone(tx, id, gone, now);
  await store.bumpTools(tx, id, now);
}

function draftsOf(
  { id, organization_id }: ServerRow,
  known: ReadonlyMap<string, Pin>,
  { pinned, changed, restored }: PinChanges,
  first: boolean,
): LedgerDraft[] {
  const server = { id, organizationId: organization_id };
  const entered = ({ name, hash }: SeenTool) => ({
    ...{ tool: name, hash },
    approvedHash: known.get(name)?.approvedHash ?? null,
  });
  return [
    ...(first ? toolEntries("pinned", server, pinned.map(entered)) : []),
    ...(changed.length > 0 ? toolEntries("changed", server, changed.map(entered)) : []),
    ...(restored.length > 0 ? toolEntries("restored", server, restored.map(entered)) : []),
  ];
}

/** Those of the reviewed tools that are not approved yet; throws unless every one is what was reviewed. */
function reviewedNow(
  known: ReadonlyMap<string, Pin>,
  reviewed: readonly { readonly name: string; readonly hash: string }[],
) {
  const missing = reviewed.filter(({ name }) => !known.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw errors.RESOURCE_NOT_FOUND({
      message: `The server has no tool ${missing[0]!.slice(0, limits.toolNameChars)}.`,
      remediation: "Review the tools as they are now: GET /v1/gateway/servers/<id>/tool-changes.",
    });
  }
  const others = reviewed.filter(({ name, hash }) => known.get(name)!.presentHash !== hash);
  if (others.length > 0) {
    const details = others.map(({ name }) => ({ tool: name, hash: known.get(name)!.presentHash }));
    const message = `What was reviewed is not what is there now: ${others.map(({ name }) => name).join(", ")}.`;
    throw serverErrors.GATEWAY_TOOL_CHANGED_AGAIN({ message, details });
  }
  return reviewed
    .filter(({ name }) => stateOf(known.get(name)) === "changed")
    .map(({ name, hash }) => ({ tool: name, hash, approvedHash: known.get(name)!.approvedHash }));
}
