import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation, type ToolInfo } from "../../kernel/operation.ts";
import { lowestIdAt } from "./entry-ids.ts";
import { limits } from "./limits.ts";
import type { Ledger } from "./service.ts";
import { entryShape, entryView } from "./shapes.ts";
import { seesValues } from "./visibility.ts";

const instant = z.iso.datetime({ offset: true, local: true }).or(z.iso.date());
/** A time without an offset is UTC. */
const msOf = (iso: string): number =>
  Date.parse(/T.*(Z|[+-]\d\d:?\d\d)$/i.test(iso) || !iso.includes("T") ? iso : `${iso}Z`);
const text = z.string().max(limits.textChars);

export const ledgerTools: ToolInfo[] = [
  {
    name: "manage_ledger",
    title: "Read and verify the ledger",
    description:
      "The ledger has one entry for everything that must be answered for: actions on the substrate, approvals, the gateway's decisions, changes by admins. Entries are never changed or removed; they are the leaves of a Merkle tree whose root the server signs. Actions: list and get read your organisation's entries, newest first; prove_inclusion shows that an entry is in the signed tree; key, checkpoint, list_checkpoints and prove_consistency give what is needed to verify it elsewhere.",
  },
];

/** What of every operation here is alike: it reads, for keys of either interface. */
export const READS = {
  right: "view",
  surface: "any",
  risk: "read",
  idempotent: true,
} as const;

/** Reading and erasing an organisation's own entries. */
export function entryOperations(ledger: Ledger): AnyOperation[] {
  return [listOperation(ledger), getOperation(ledger), eraseOperation(ledger)];
}

const listOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    ...READS,
    name: "ledger.list",
    title: "List ledger entries",
    summary:
      "Lists the organisation's ledger entries, newest first: who did what, with the sealed values that were not erased. Continue with before: next_before.",
    input: z.object({
      kind: text.optional().describe("Exactly this kind, e.g. substrate.action.executed"),
      subject: text.optional().describe("What the entries are about, e.g. an action's id"),
      from: instant.optional().describe("Not before this ISO time"),
      to: instant.optional().describe("Not after this ISO time"),
      before: text.optional().describe("Id of an entry: only older ones"),
      limit: z.coerce.number().int().min(1).max(limits.pageEntries).default(50),
    }),
    output: z.object({ entries: z.array(entryShape), next_before: z.string().nullable() }),
    http: { method: "GET", path: "/v1/ledger/entries" },
    mcp: { tool: "manage_ledger", action: "list" },
    async run(call, { limit, from, to, ...rest }) {
      const filter = {
        ...rest,
        from: from === undefined ? undefined : lowestIdAt(msOf(from)),
        to: to === undefined ? undefined : lowestIdAt(msOf(to) + 1),
      };
      const { organizationId, scopes } = organizationKeyOf(call);
      const { rows, more } = await ledger.list(organizationId, filter, limit);
      const sees = seesValues(scopes);
      return { entries: rows.map((row) => entryView(row, sees)), next_before: more ? rows.at(-1)!.id : null };
    },
  });

const getOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    ...READS,
    name: "ledger.get",
    title: "Read a ledger entry",
    summary: "Reads one of the organisation's ledger entries, with the sealed values that were not erased.",
    input: z.object({ id: text.describe("The entry: led_…") }),
    output: entryShape,
    errors: ["RESOURCE_NOT_FOUND"],
    http: { method: "GET", path: "/v1/ledger/entries/:id" },
    mcp: { tool: "manage_ledger", action: "get" },
    async run(call, { id }) {
      const { organizationId, scopes } = organizationKeyOf(call);
      return entryView(await ledger.get(organizationId, id), seesValues(scopes));
    },
  });

/** What an erasure names stays for ever: an id or a field's name, never an address that would have to be erased itself. */
const plain = text.regex(/^[A-Za-z0-9_.:-]+$/, "must be an id or a name: letters, digits, _ . : -");

const eraseOperation = (ledger: Ledger): AnyOperation =>
  platformOperation({
    name: "ledger.erase",
    title: "Erase sealed values",
    summary:
      "Erases for good what the organisation's ledger entries about these subjects have sealed (personal and secret values), all names or those given. The entries stay and can still be verified; that it was done becomes an entry too. Only an owner may do this, in person.",
    input: z.object({
      subjects: z
        .array(plain)
        .min(1)
        .max(limits.erasedSubjects)
        .describe("What the entries are about, e.g. actions' ids"),
      names: z
        .array(plain)
        .min(1)
        .max(limits.erasedNames)
        .optional()
        .describe("Only values sealed under these names, e.g. payload"),
      reason: z.string().min(1).max(limits.reasonChars).describe("Why; kept in the ledger, sealed"),
    }),
    output: z.object({ erased: z.number().describe("Values that were there and are not any more") }),
    right: "own",
    surface: "any",
    personOnly: true,
    risk: "destructive",
    idempotent: true,
    errors: ["LEDGER_ENTRY_TOO_LARGE"],
    audit: { category: "admin", action: "delete", resourceType: "ledger_openings" },
    secretFields: ["reason"],
    http: { method: "POST", path: "/v1/ledger/erase" },
    async run(call, { subjects, names, reason }) {
      const { organizationId, keyId, accountId } = organizationKeyOf(call);
      const actor = { type: "person", id: keyId, account: accountId } as const;
      const erased = await ledger.transaction((tx) =>
        ledger.erase(tx, { organizationId, subjects, names, actor, reason }),
      );
      return { erased };
    },
  });
