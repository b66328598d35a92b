import type { Queryable } from "../../../engines/postgres/database.ts";
import type { MemoryReader, MemoryRecord } from "../types.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { Parameters } from "./parameters.ts";
import { bindReader, visibleThen } from "./scope.ts";

/** A record as one action left it. */
export interface Version {
  readonly version: number;
  readonly action_id: string;
  readonly known_from: Date;
  /** Null: it is known like this now. */
  readonly known_until: Date | null;
  /** The version whose state was put back, when an action was undone. */
  readonly restores: number | null;
  /** Null: it was deleted. Source artifacts come without their content. */
  readonly state: MemoryRecord | null;
}

/**
 * The versions of a record, newest first; of an id that was merged away its own. Null when there is none the reader may
 * see. A deletion is shown to whoever could see what was deleted.
 */
export async function historyOf(
  db: Queryable,
  reader: MemoryReader,
  id: string,
  page: { readonly limit: number; readonly before?: string | undefined },
): Promise<{ versions: Version[]; nextBefore: string | null } | null> {
  const before = page.before === undefined ? MAX_INT : Number(decodeCursor(page.before, ["number"])[0]);
  const bind = new Parameters();
  const who = bindReader(bind, reader);
  const wanted = bind.add(id, "text");
  const versions = await db.query<Version>(
    `select v.version, v.action_id, v.known_from, v.known_until, v.restores,
       case when v.kind = 'source_artifact' then v.state #- '{data,content}' else v.state end as state
     from ambit.memory_versions v
     left join ambit.memory_versions p on v.state is null and p.organization_id = v.organization_id
       and p.record_id = v.record_id and p.version = v.version - 1
     where v.organization_id = ${who.organization} and v.record_id = ${wanted}
       and v.version < ${bind.add(Math.max(0, Math.min(Math.trunc(before), MAX_INT)), "int")}
       and case when v.state is null then ${visibleThen(who, "p", "p.known_from")}
         else ${visibleThen(who, "v", "v.known_from")} end
     order by v.version desc limit ${bind.add(page.limit + 1, "int")}`,
    bind.values,
  );
  if (versions.length === 0 && page.before === undefined) return null;
  const shown = versions.slice(0, page.limit);
  const more = versions.length > page.limit;
  return { versions: shown, nextBefore: more ? encodeCursor([shown.at(-1)!.version]) : null };
}

const MAX_INT = 2_147_483_647;
