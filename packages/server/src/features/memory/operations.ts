import { z } from "zod";
import { keyOf } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, type HttpForm, type McpForm, platformOperation } from "../../kernel/operation.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { JsonObject } from "../ledger/service.ts";
import { inputs, type ReadInput, type ReadName } from "./read/inputs.ts";
import type { WireReads } from "./read/reads.ts";
import type { MemoryReader } from "./service.ts";

const row = z.looseObject({ id: z.string() });
const rows = z.array(row);
const nextCursor = z.string().optional().describe("Pass it as cursor for the next page; absent on the last");
const total = z.number().optional();
const ROOT = "/v1/me/substrate";

/** What an operation says of itself besides what all that read the memory have in common. */
interface Declaration<K extends ReadName> {
  readonly read: K;
  readonly name: string;
  readonly title: string;
  readonly summary: string;
  readonly output: z.ZodObject;
  /** Below the substrate's root. */
  readonly path: string;
  readonly action: string;
  readonly aliases?: readonly string[];
  /** Codes besides the kernel's. */
  readonly errors?: readonly string[];
  /** What there is none of when the answer is null. */
  readonly what?: string;
}

/** The operations that read the memory; `readerOf` says what a key may see of it. */
export function memoryOperations(
  reads: WireReads,
  readerOf: (key: KeyPrincipal) => Promise<MemoryReader>,
): AnyOperation[] {
  const operation = <K extends ReadName>(declaration: Declaration<K>) =>
    platformOperation({
      name: declaration.name,
      title: declaration.title,
      summary: declaration.summary,
      input: inputs[declaration.read] as z.ZodObject,
      output: declaration.output,
      right: "view",
      surface: "substrate",
      risk: "read",
      idempotent: true,
      errors: ["SUBSTRATE_NOT_LINKED", ...(declaration.errors ?? [])],
      http: { method: "GET", path: `${ROOT}/${declaration.path}` } satisfies HttpForm,
      mcp: {
        tool: "manage_substrate",
        action: declaration.action,
        ...(declaration.aliases === undefined ? {} : { aliases: declaration.aliases }),
      } satisfies McpForm,
      async run(call, input) {
        const reader = await readerOf(keyOf(call));
        const answer = await reads[declaration.read](reader, input as ReadInput<K>);
        if (answer === null) throw notFound(declaration.what ?? "record");
        return answer as JsonObject;
      },
    });
  return [
    ...catalogueDeclarations.map((declaration) => operation(declaration)),
    ...memoryDeclarations.map((declaration) => operation(declaration)),
    ...recordDeclarations.map((declaration) => operation(declaration)),
  ];
}

const notFound = (what: string) =>
  errors.RESOURCE_NOT_FOUND({
    message: `There is no such ${what} in what this key may see of the memory.`,
    remediation: "Look it up (find_entities, search_memory) and use an id from there.",
  });

const CURSOR = ["MEMORY_CURSOR_INVALID"];
const SEARCH = ["MEMORY_CURSOR_INVALID", "MEMORY_QUERY_TOO_LONG"];

const catalogueDeclarations: Declaration<ReadName>[] = [
  {
    read: "findEntities",
    name: "memory.find_entities",
    title: "Find entities",
    summary:
      "People, companies, projects and other entities, newest made first; by type, by words of their names, addresses and attributes, or by e-mail address.",
    output: z.looseObject({ entities: rows, total, next_cursor: nextCursor }),
    path: "entities",
    action: "find_entities",
    aliases: ["find_entities"],
    errors: SEARCH,
  },
  {
    read: "getEntity",
    name: "memory.get_entity",
    title: "Get an entity",
    summary:
      "One entity with all its fields. The id of an entity that was merged leads to the one that is left: then `requested_id` is the id asked for.",
    output: row,
    path: "entities/:entity_id",
    action: "get_entity",
    aliases: ["get_entity"],
    what: "entity",
  },
  {
    read: "listArtifacts",
    name: "memory.list_source_artifacts",
    title: "List source artifacts",
    summary: "Where knowledge comes from (mails, meetings, documents), newest made first, without content.",
    output: z.looseObject({ source_artifacts: rows, artifacts: rows, total, next_cursor: nextCursor }),
    path: "source-artifacts",
    action: "list_source_artifacts",
    errors: SEARCH,
  },
  {
    read: "getArtifact",
    name: "memory.get_source_artifact",
    title: "Get a source artifact",
    summary: "One source artifact with its content.",
    output: row,
    path: "source-artifacts/:artifact_id",
    action: "get_source_artifact",
    what: "source artifact",
  },
];

const memoryDeclarations: Declaration<ReadName>[] = [
  {
    read: "searchMemory",
    name: "memory.search",
    title: "Search the memory",
    summary:
      "Finds what the organisation knows by words, best first: in titles before in texts, as typed before likely misspellings (`corrections` names them). Without words: the latest.",
    output: z.looseObject({
      results: rows,
      next_cursor: nextCursor,
      corrections: z.record(z.string(), z.array(z.string())).optional(),
    }),
    path: "memory",
    action: "search_memory",
    aliases: ["search_memory"],
    errors: SEARCH,
  },
  {
    read: "listMemory",
    name: "memory.list",
    title: "List the memory",
    summary: "What the organisation knows, newest change first, page by page.",
    output: z.looseObject({ results: rows, next_before: z.string().nullable() }),
    path: "memory/list",
    action: "list_memory",
    errors: CURSOR,
  },
  {
    read: "listPrinciples",
    name: "memory.list_principles",
    title: "List principles",
    summary: "The principles that constrain what may be done, with what they apply to and their constraint.",
    output: z.looseObject({ principles: rows, next_cursor: nextCursor }),
    path: "principles",
    action: "list_principles",
    errors: CURSOR,
  },
  {
    read: "getPrinciple",
    name: "memory.get_principle",
    title: "Get a principle",
    summary: "One principle with what it applies to and its constraint.",
    output: row,
    path: "principles/:principle_id",
    action: "get_principle",
    what: "principle",
  },
];

const recordDeclarations: Declaration<ReadName>[] = [
  {
    read: "getRecord",
    name: "memory.get_record",
    title: "Get a record",
    summary: "One record of the memory of any kind, with all its fields under `data`.",
    output: row,
    path: "memory/:record_id",
    action: "get_record",
  },
  {
    read: "history",
    name: "memory.history",
    title: "History of a record",
    summary:
      "Every version of a record with the action that made it, newest first, also of what was deleted.",
    output: z.looseObject({
      id: z.string(),
      versions: z.array(z.looseObject({})),
      next_before: z.string().nullable(),
    }),
    path: "memory/:record_id/history",
    action: "get_history",
    errors: CURSOR,
  },
  {
    read: "connections",
    name: "memory.links",
    title: "What a record is linked with",
    summary: "The records a record is joined with by links, names in its fields, or is named by.",
    output: z.looseObject({ id: z.string(), links: rows, next_cursor: nextCursor }),
    path: "memory/:record_id/links",
    action: "get_links",
    errors: CURSOR,
  },
];
