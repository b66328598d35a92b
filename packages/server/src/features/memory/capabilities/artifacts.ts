import { z } from "zod";
import type { JsonObject } from "../../ledger/service.ts";
import { memoryErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { MemoryRecord } from "../types.ts";
import { type ArtifactData, REFERENCE_FIELDS, withReferences } from "../write/data.ts";
import { holdTarget, resolveReferences } from "../write/resolve.ts";
import { tiesOf } from "../write/shape.ts";
import { holdKnownBy } from "../write/store.ts";
import { type Context, capability } from "./capability.ts";
import { id, longText, name, object, text, title, url, value } from "./payload.ts";
import { wantedBy } from "./references.ts";
import { upserted } from "./upsert.ts";

const onlyOnce = (texts: readonly string[]): string[] => [...new Set(texts)];

const payload = z
  .strictObject({
    kind: name,
    title,
    id: id.optional(),
    external_system: name.optional(),
    external_id: value.optional(),
    summary: longText.optional(),
    content: text(limits.contentChars).optional(),
    storage_object_id: text(limits.urlChars).optional(),
    url: url.optional(),
    links: z
      .strictObject({
        entity_ids: z.array(id).max(limits.artifactLinks).default([]).transform(onlyOnce),
        project_tags: z.array(name).max(limits.artifactLinks).default([]).transform(onlyOnce),
      })
      .optional(),
    attrs: object.optional(),
  })
  .refine((given) => (given.external_system === undefined) === (given.external_id === undefined), {
    message: "external_system and external_id go together",
  });

type Payload = z.output<typeof payload>;

/** `before` with what the payload gives: fields and `links` replaced, `attrs` merged by name. Pure. */
export function mergeArtifact(
  before: ArtifactData | null,
  { id: _, attrs, ...given }: Payload,
): ArtifactData {
  const old = before ?? {
    external_system: null,
    external_id: null,
    summary: null,
    content: null,
    storage_object_id: null,
    url: null,
    links: { entity_ids: [], project_tags: [] },
    attrs: {},
  };
  return { ...old, ...given, attrs: { ...old.attrs, ...attrs } };
}

const upsertSourceArtifact = capability({
  name: "upsert_source_artifact",
  summary: "Records where knowledge comes from: a mail, a meeting, a document, known by its external id.",
  payload,
  nullIsAbsent: true,
  async run(context, given) {
    const { tx, work } = context;
    const fields = REFERENCE_FIELDS.source_artifact;
    const idOf = await resolveReferences(tx, work, wantedBy(fields, given));
    return upserted(context, {
      find: () => holdArtifact(context, given),
      write(unit, existing) {
        const data = mergeArtifact(existing === null ? null : (existing.data as ArtifactData), given);
        const resolved = withReferences(fields, data, idOf);
        if (existing === null) return unit.create("source_artifact", resolved);
        return unit.change({ ...existing, kind: "source_artifact" }, resolved);
      },
      conflict: async (existing) => ambiguous([existing.id]),
      result: (artifact, before) => ({
        artifact_id: artifact.id,
        was_insert: before === null,
        before: before === null ? null : summaryOf(before),
      }),
    });
  },
});

/** The artifact the payload means, held for a change; null when it is a new one. */
async function holdArtifact({ tx, work }: Context, given: Payload): Promise<MemoryRecord | null> {
  const keys = tiesOf("source_artifact", mergeArtifact(null, given)).identities;
  if (given.id === undefined && keys.length === 0) return null;
  const found = await holdKnownBy(tx, work.organizationId, given.id ?? null, keys);
  if (given.id !== undefined && !found.some(isGiven(given.id)))
    return holdTarget(tx, work, { kind: "source_artifact", id: given.id, hold: "change" });
  if (found.length > 1) throw ambiguous(found.map((each) => each.id));
  return found[0] ?? null;
}

const isGiven = (artifactId: string) => (record: MemoryRecord) =>
  record.id === artifactId && record.kind === "source_artifact";

const ambiguous = (artifactIds: readonly string[]) =>
  memoryErrors.ARTIFACT_AMBIGUOUS({ details: { artifact_ids: artifactIds } });

/** What an artifact was before, without its content. Pure. */
function summaryOf({ id: artifactId, data, updated_at }: MemoryRecord): JsonObject {
  const { content: _, ...rest } = data as ArtifactData;
  return { id: artifactId, ...rest, updated_at };
}

export const artifactCapabilities = [upsertSourceArtifact];
