import { z } from "zod";
import type { RecordKind } from "../types.ts";
import { isStorable } from "./cursor.ts";
import type { WantedKind } from "./filter.ts";
import { limits } from "./limits.ts";

/** What each kind is called, in the plural as lists are asked for; the singular is understood too. */
const KIND_NAMES = {
  entities: { kind: "entity", subtype: null },
  decisions: { kind: "decision", subtype: null },
  commitments: { kind: "commitment", subtype: null },
  learnings: { kind: "learning", subtype: null },
  source_artifacts: { kind: "source_artifact", subtype: null },
  links: { kind: "link", subtype: null },
  principles: { kind: "decision", subtype: "principle" },
} as const satisfies Record<string, WantedKind>;

const SINGULAR: Readonly<Record<string, keyof typeof KIND_NAMES>> = {
  entity: "entities",
  decision: "decisions",
  commitment: "commitments",
  learning: "learnings",
  source_artifact: "source_artifacts",
  artifact: "source_artifacts",
  artifacts: "source_artifacts",
  link: "links",
  principle: "principles",
};

/** Every kind there is. */
export const EVERY_KIND: readonly WantedKind[] = (
  ["entity", "decision", "commitment", "learning", "source_artifact", "link"] satisfies RecordKind[]
).map((kind) => ({ kind, subtype: null }));

const kinds = z
  .union([z.string().max(300), z.array(z.string().max(40)).max(20)])
  .optional()
  .describe(`Only these, separated by commas: ${Object.keys(KIND_NAMES).join(", ")}`)
  .transform((given, context): readonly WantedKind[] => {
    const names = (typeof given === "string" ? given.split(",") : (given ?? []))
      .map((name) => name.trim().toLowerCase())
      .filter((name) => name !== "");
    if (names.length === 0) return EVERY_KIND;
    const wanted = new Set<keyof typeof KIND_NAMES>();
    for (const name of names) {
      const plural = Object.hasOwn(SINGULAR, name) ? SINGULAR[name]! : name;
      if (Object.hasOwn(KIND_NAMES, plural)) wanted.add(plural as keyof typeof KIND_NAMES);
      else {
        const known = Object.keys(KIND_NAMES).join(", ");
        context.addIssue({
          code: "custom",
          message: `${name.slice(0, 40)} is no kind; the kinds are ${known}`,
        });
      }
    }
    // Every principle is a decision.
    if (wanted.has("decisions")) wanted.delete("principles");
    return [...wanted].map((name) => KIND_NAMES[name]);
  });

const ISO = z.union([z.iso.datetime({ offset: true }), z.iso.date()]);

/** A point in time. Its schema says so in words: the pattern would be longer than everything else of a tool. */
const instant = (what: string) =>
  z
    .string()
    .max(40)
    .transform((text, context) => {
      const parsed = ISO.safeParse(text);
      if (parsed.success && isStorable(new Date(parsed.data))) return new Date(parsed.data);
      context.addIssue({
        code: "custom",
        message: "must be an instant in ISO 8601, e.g. 2027-01-31T09:00:00Z",
      });
      return z.NEVER;
    })
    .optional()
    .describe(what);

const asOf = instant("As things were known at this instant (ISO 8601)");

/** A yes or no in a query or as JSON. */
const flag = (what: string) =>
  z
    .union([z.boolean(), z.enum(["true", "false", "1", "0"])])
    .transform((given) => given === true || given === "true" || given === "1")
    .optional()
    .describe(what);

const page = (most: number, byDefault: number) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(most)
    .default(byDefault)
    .describe(`At most ${most}; default ${byDefault}`);
const cursor = z.string().min(1).max(500).optional().describe("next_cursor of the page before");
const before = z.string().min(1).max(500).optional().describe("next_before of the page before");
const name = z.string().max(500).optional();
const recordId = z.string().min(1).max(100);
const text = z.string().max(20_000).optional();

/** What each way of reading takes. */
export const inputs = {
  findEntities: z.object({
    type: name.describe("person, company, fund, workspace, team, project, event, agent, self"),
    q: text.describe("Words in its name, addresses and attributes; each may be the beginning of a word"),
    primary_email: name.describe("Known by this address"),
    limit: page(limits.entities, limits.pageDefault),
    cursor,
    count: flag("Also say how many there are in all"),
    as_of: asOf,
  }),
  getEntity: z.object({
    entity_id: recordId.describe("ent_…; the id of a merged entity leads to the one that is left"),
    as_of: asOf,
  }),
  listArtifacts: z.object({
    kind: name.describe("e.g. email, meeting, document"),
    q: text.describe("Words in it; each may be the beginning of a word"),
    limit: page(limits.artifacts, limits.pageDefault),
    cursor,
    count: flag("Also say how many there are in all"),
    as_of: asOf,
  }),
  getArtifact: z.object({ artifact_id: recordId.describe("art_…"), as_of: asOf }),
  searchMemory: z.object({
    q: text.describe(
      'Words; "several words" next to each other, word* for a beginning. Empty or *: the latest records',
    ),
    kinds,
    limit: page(limits.searchResults, limits.searchResultsDefault),
    match: z
      .enum(["and", "or", "phrase", "prefix"])
      .default("and")
      .describe("and: every word; or: any; phrase: next to each other; prefix: each word is a beginning"),
    entity_id: recordId.optional().describe("Only what refers to this record"),
    app_id: name.describe("Only what this app wrote"),
    status: name.describe("e.g. active, superseded, retired; of commitments their own"),
    from: instant("Changed at or after this instant (ISO 8601)"),
    to: instant("Changed before this instant (ISO 8601)"),
    cursor,
    as_of: asOf,
  }),
  listMemory: z.object({
    kinds,
    source_artifact_id: recordId.optional().describe("Only what comes from this source artifact"),
    superseded: flag("true: only what has been superseded; false: only what has not"),
    before: before.describe("next_before of the page before, or an instant"),
    limit: page(limits.listed, limits.listedDefault),
    as_of: asOf,
  }),
  getRecord: z.object({ record_id: recordId.describe("Of any kind"), as_of: asOf }),
  history: z.object({
    record_id: recordId.describe("Of any kind, also of one that was deleted or merged away"),
    limit: page(limits.versions, limits.pageDefault),
    before,
  }),
  connections: z.object({
    record_id: recordId.describe("Of any kind"),
    limit: page(limits.versions, limits.pageDefault),
    cursor,
  }),
  listPrinciples: z.object({
    status: z.enum(["active", "retired", "all"]).default("active").describe("Default active: those in force"),
    limit: page(limits.artifacts, limits.pageDefault),
    cursor,
    as_of: asOf,
  }),
  getPrinciple: z.object({ principle_id: recordId.describe("dec_…"), as_of: asOf }),
} as const;

/** The ways of reading. */
export type ReadName = keyof typeof inputs;
/** What each takes, once it is checked. */
export type ReadInput<K extends ReadName> = z.output<(typeof inputs)[K]>;
