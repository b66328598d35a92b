import type { Platform } from "../../../engines/platform.ts";
import type { Json, JsonObject } from "../../ledger/service.ts";
import type { MemoryReader } from "../types.ts";
import { catalogueReads } from "./catalogue-wire.ts";
import { historyOf } from "./history.ts";
import { connectionsOf } from "./links.ts";
import { listRecords } from "./listing.ts";
import {
  presentAny,
  presentConnection,
  presentFound,
  presentRecord,
  presentSearch,
  presentVersion,
} from "./present.ts";
import type { WireReads } from "./reads.ts";
import { getRecord } from "./records.ts";
import { searchMemory } from "./search.ts";

type Ground = Pick<Platform, "database" | "metrics">;

/** See `WireReads`. */
export function createReads(platform: Ground): WireReads {
  return { ...catalogueReads(platform), ...memoryReads(platform), ...recordReads(platform) };
}

const json = (value: object) => value as unknown as JsonObject;

type MemorySearchReads = Pick<WireReads, "searchMemory" | "listMemory" | "listPrinciples">;

function memoryReads(platform: Ground): MemorySearchReads {
  const { database } = platform;
  return {
    async searchMemory(
      reader,
      { q, kinds, match, limit, cursor, entity_id, app_id, status, from, to, as_of },
    ) {
      const about =
        entity_id === undefined
          ? undefined
          : { id: await presentId(platform, reader, entity_id, as_of), field: null };
      const filter = { wanted: kinds, appId: app_id, status, from, to, about, asOf: as_of };
      return json(presentSearch(await searchMemory(platform, reader, { q, match, limit, cursor, filter })));
    },
    async listMemory(reader, { kinds, source_artifact_id, superseded, before, limit, as_of }) {
      const about =
        source_artifact_id === undefined
          ? undefined
          : { id: source_artifact_id, field: "source_artifact_id" };
      const filter = { wanted: kinds, superseded, about, asOf: as_of };
      const { records, nextBefore } = await listRecords(database, reader, filter, { limit, before });
      const results = records.map((record) => presentFound({ record, rank: null }, []));
      return json({ results, next_before: nextBefore });
    },
    async listPrinciples(reader, { status, limit, cursor, as_of }) {
      const filter = {
        wanted: [{ kind: "decision", subtype: "principle" }] as const,
        status: status === "all" ? undefined : status,
        asOf: as_of,
      };
      const { records, nextBefore } = await listRecords(database, reader, filter, { limit, before: cursor });
      return json({
        principles: records.map(presentRecord),
        ...(nextBefore === null ? {} : { next_cursor: nextBefore }),
      });
    },
  };
}

/** The id a record goes by: that of the entity it was merged into, if it was. */
async function presentId(
  { database }: Pick<Platform, "database">,
  reader: MemoryReader,
  id: string,
  asOf: Date | undefined,
): Promise<string> {
  return (await getRecord(database, reader, id, asOf ?? null))?.id ?? id;
}

type RecordReads = Pick<WireReads, "getRecord" | "history" | "connections" | "getPrinciple">;

function recordReads({ database }: Pick<Platform, "database">): RecordReads {
  return {
    async getRecord(reader, { record_id, as_of }) {
      const record = await getRecord(database, reader, record_id, as_of ?? null);
      return record === null ? null : { ...presentAny(record), ...requested(record_id, record.id) };
    },
    async history(reader, { record_id, limit, before }) {
      const history = await historyOf(database, reader, record_id, { limit, before });
      if (history === null) return null;
      return json({
        id: record_id,
        versions: history.versions.map(presentVersion),
        next_before: history.nextBefore,
      });
    },
    async connections(reader, { record_id, limit, cursor }) {
      const record = await getRecord(database, reader, record_id, null);
      if (record === null) return null;
      const { connections, nextCursor } = await connectionsOf(database, reader, record.id, { limit, cursor });
      return json({
        id: record.id,
        ...requested(record_id, record.id),
        links: connections.map(presentConnection),
        ...(nextCursor === null ? {} : { next_cursor: nextCursor }),
      });
    },
    async getPrinciple(reader, { principle_id, as_of }) {
      const record = await getRecord(database, reader, principle_id, as_of ?? null);
      return record?.kind === "decision" && record.subtype === "principle" ? presentRecord(record) : null;
    },
  };
}

/** Says that the id that was asked for led to another. */
const requested = (asked: string, id: string): Record<string, Json> =>
  asked === id ? {} : { requested_id: asked, alias_of: id };
