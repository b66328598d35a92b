import type { Platform } from "../../../engines/platform.ts";
import type { MemoryReader } from "../types.ts";
import { type CatalogueFilter, countCatalogue, listCatalogue } from "./catalogue.ts";
import { limits } from "./limits.ts";
import { presentRecord } from "./present.ts";
import type { WireReads } from "./reads.ts";
import { getRecord } from "./records.ts";
import { readQuery } from "./search.ts";
import { indexText, NO_ALTERNATIVES } from "./tsquery.ts";
import { countQuery, recordsFound } from "./words.ts";

type Ground = Pick<Platform, "database" | "metrics">;
type CatalogueReads = Pick<WireReads, "findEntities" | "getEntity" | "listArtifacts" | "getArtifact">;

/** Entities and source artifacts, as the wire has them. */
export function catalogueReads(platform: Ground): CatalogueReads {
  const { database } = platform;
  const list = async (
    reader: MemoryReader,
    filter: Omit<CatalogueFilter, "found">,
    {
      q,
      limit,
      cursor,
      count,
    }: { q?: string | undefined; limit: number; cursor?: string | undefined; count?: boolean | undefined },
  ) => {
    const found = await catalogueWords(platform, reader, filter.kind, q);
    const nothing = found !== null && found.text === "";
    const wanted = { ...filter, found };
    const [{ records, nextCursor }, total] = await Promise.all([
      nothing
        ? { records: [], nextCursor: null }
        : listCatalogue(database, reader, wanted, { limit, cursor }),
      count ? (nothing ? 0 : countCatalogue(database, reader, wanted)) : undefined,
    ]);
    const rest = {
      ...(total === undefined ? {} : { total }),
      ...(nextCursor === null ? {} : { next_cursor: nextCursor }),
    };
    return { rows: records.map(presentRecord), rest };
  };
  const get = async (
    reader: MemoryReader,
    id: string,
    kind: CatalogueFilter["kind"],
    asOf: Date | undefined,
  ) => {
    const record = await getRecord(database, reader, id, asOf ?? null);
    return record?.kind === kind ? presentRecord(record) : null;
  };
  return {
    async findEntities(reader, { type, primary_email, as_of, ...page }) {
      const filter = { kind: "entity", subtype: type, email: primary_email, asOf: as_of } as const;
      const { rows, rest } = await list(reader, filter, page);
      return { entities: rows, ...rest };
    },
    async getEntity(reader, { entity_id, as_of }) {
      const entity = await get(reader, entity_id, "entity", as_of);
      if (entity === null || entity.id === entity_id) return entity;
      return { ...entity, requested_id: entity_id, alias_of: entity.id };
    },
    async listArtifacts(reader, { kind, as_of, ...page }) {
      const { rows, rest } = await list(
        reader,
        { kind: "source_artifact", subtype: kind, asOf: as_of },
        page,
      );
      return { artifacts: rows, source_artifacts: rows, ...rest };
    },
    async getArtifact(reader, { artifact_id, as_of }) {
      return get(reader, artifact_id, "source_artifact", as_of);
    },
  };
}

/** What the index is asked for a list narrowed by words, each of which may be a beginning; the text is "" for none. */
async function catalogueWords(
  platform: Ground,
  reader: MemoryReader,
  kind: CatalogueFilter["kind"],
  q: string | undefined,
): Promise<CatalogueFilter["found"]> {
  if (q === undefined || /^\s*\*?\s*$/.test(q)) return null;
  const query = readQuery(platform, q, "prefix");
  if (query.terms.length === 0) return { text: "", common: false };
  const counts = await countQuery(platform.database, reader.organizationId, query);
  const appId = reader.scope?.ownOnly === true ? reader.scope.appId : null;
  return {
    text: indexText(query, NO_ALTERNATIVES, { organizationId: reader.organizationId, kinds: [kind], appId }),
    common: recordsFound({ query, counts }, NO_ALTERNATIVES, "documents") >= limits.commonRecords,
  };
}
