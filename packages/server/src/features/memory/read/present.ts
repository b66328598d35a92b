import type { JsonObject } from "../../ledger/service.ts";
import type { MemoryRecord } from "../types.ts";
import type { Version } from "./history.ts";
import { limits } from "./limits.ts";
import type { Connection } from "./links.ts";
import type { Found, SearchAnswer } from "./search.ts";
import { snippetOf } from "./snippet.ts";

/** What every record shows of where it comes from. */
const origin = (record: MemoryRecord): JsonObject => ({
  source_app_id: record.source_app_id,
  action_id: record.action_id,
  created_by_action: record.created_by_action,
  version: record.version,
  created_at: record.created_at,
  updated_at: record.updated_at,
});

/** A record as its own fields, with its id and where it comes from. */
export function presentRecord(record: MemoryRecord): JsonObject & { id: string } {
  return { id: record.id, ...record.data, status: record.status, ...origin(record) };
}

/** A record of any kind: its own fields are under `data`. */
export const presentAny = (record: MemoryRecord): JsonObject & { id: string } => ({
  id: record.id,
  kind: record.kind,
  subtype: record.subtype,
  title: record.title,
  status: record.status,
  data: record.data,
  ...origin(record),
});

/** A result of a search or a list of the memory. */
export function presentFound({ record, rank }: Found, words: readonly string[]): JsonObject & { id: string } {
  const text = cut(record.body, limits.bodyTextChars);
  return {
    id: record.id,
    kind: record.kind,
    subtype: record.subtype,
    title: record.title,
    snippet: snippetOf(record.body, words, limits.snippetChars),
    body_text: text,
    body_truncated: text.length < record.body.length,
    rank,
    status: record.status,
    source_artifact_id: idIn(record, "source_artifact_id"),
    supersedes: idIn(record, "supersedes"),
    superseded_by: idIn(record, "superseded_by"),
    ...origin(record),
  };
}

export const presentSearch = (answer: SearchAnswer) => ({
  results: answer.found.map((found) => presentFound(found, answer.words)),
  ...(answer.nextCursor === null ? {} : { next_cursor: answer.nextCursor }),
  ...(Object.keys(answer.corrections).length === 0 ? {} : { corrections: answer.corrections }),
});

export const presentVersion = ({ known_from, known_until, state, ...version }: Version) => ({
  ...version,
  known_from: known_from.toISOString(),
  known_until: known_until?.toISOString() ?? null,
  deleted: state === null,
  record: state === null ? null : presentAny(state),
});

export const presentConnection = ({ updated_at, ...connection }: Connection) => ({
  ...connection,
  updated_at: updated_at.toISOString(),
});

const idIn = (record: MemoryRecord, field: string): string | null => {
  const value = record.data[field];
  return typeof value === "string" ? value : null;
};

/** The first characters of a text; never half of a surrogate pair. */
function cut(text: string, chars: number): string {
  if (text.length <= chars) return text;
  const part = text.slice(0, chars);
  return part.isWellFormed() ? part : part.slice(0, -1);
}
