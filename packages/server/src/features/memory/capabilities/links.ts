import { z } from "zod";
import { errors } from "../../../kernel/errors.ts";
import type { MemoryOutcome, MemoryRecord } from "../types.ts";
import { type LinkData, REFERENCE_FIELDS, withReferences } from "../write/data.ts";
import { resolveReferences } from "../write/resolve.ts";
import { linkIdentity } from "../write/shape.ts";
import { holdKnownBy, holdRecords } from "../write/store.ts";
import { type Context, capability } from "./capability.ts";
import { id, name, object } from "./payload.ts";
import { wantedBy } from "./references.ts";
import { upserted } from "./upsert.ts";

const linkRecords = capability({
  name: "link_records",
  summary: "Links two records by a relation, e.g. works_at; linking them again changes the link's attrs.",
  payload: z.strictObject({ from_id: id, to_id: id, relation: name, attrs: object.optional() }),
  nullIsAbsent: true,
  async run(context, payload) {
    const ends = await endsOf(context, payload);
    if (ends.from_id === ends.to_id) {
      throw errors.VALIDATION_INVALID_SCHEMA({
        message: "from_id and to_id are the same record; a link joins two.",
        details: [{ path: "to_id", message: "is the same record as from_id", code: "custom" }],
      });
    }
    return upserted(context, {
      find: () => holdLink(context, ends),
      write: (unit, existing) => {
        if (existing === null) return unit.create("link", { ...ends, attrs: payload.attrs ?? {} });
        const data = existing.data as LinkData;
        return unit.change(
          { ...existing, kind: "link" },
          { ...data, attrs: { ...data.attrs, ...payload.attrs } },
        );
      },
      result: (link, before) => ({ link_id: link.id, was_insert: before === null }),
    });
  },
});

const unlinkRecords = capability({
  name: "unlink_records",
  summary: "Removes a link.",
  payload: z
    .strictObject({
      link_id: id.optional(),
      from_id: id.optional(),
      to_id: id.optional(),
      relation: name.optional(),
    })
    .refine(({ link_id, ...ends }) => (link_id === undefined ? allGiven(ends) : noneGiven(ends)), {
      message: "needs either link_id, or from_id, to_id and relation",
    }),
  nullIsAbsent: true,
  async run(context, { link_id, from_id, to_id, relation }): Promise<MemoryOutcome> {
    const { tx, work } = context;
    const link =
      link_id === undefined
        ? await holdLink(
            context,
            await endsOf(context, { from_id: from_id!, to_id: to_id!, relation: relation! }),
          )
        : ((await holdRecords(tx, work.organizationId, [link_id], "remove")).find(isLink) ?? null);
    if (link === null) {
      throw errors.RESOURCE_NOT_FOUND({
        message: "There is no such link.",
        remediation: "List what is linked to a record with list_memory and its entity_id.",
      });
    }
    const unit = context.begin();
    unit.remove(link);
    await unit.write();
    return unit.outcome({ link_id: link.id, removed: true });
  },
});

const allGiven = (ends: object): boolean =>
  Object.keys(ends).length === 3 && Object.values(ends).every((each) => each !== undefined);
const noneGiven = (ends: object): boolean => Object.values(ends).every((each) => each === undefined);
const isLink = ({ kind }: MemoryRecord): boolean => kind === "link";

type Ends = Pick<LinkData, "from_id" | "to_id" | "relation">;

async function endsOf({ tx, work }: Context, { from_id, to_id, relation }: Ends): Promise<Ends> {
  const ends = { from_id, to_id, relation };
  const idOf = await resolveReferences(tx, work, wantedBy(REFERENCE_FIELDS.link, ends));
  return withReferences(REFERENCE_FIELDS.link, ends, idOf);
}

async function holdLink({ tx, work }: Context, ends: Ends): Promise<MemoryRecord | null> {
  const [link] = await holdKnownBy(tx, work.organizationId, null, [linkIdentity(ends)]);
  return link ?? null;
}

export const linkCapabilities = [linkRecords, unlinkRecords];
