import type pg from "pg";
import { quoted } from "./sql.ts";

/**
 * What really happened, by a path that shares nothing with Ambit: triggers write every row's change into a table of the
 * suite's own, within the transaction that makes it; a slot of the suite's own says in which order these transactions
 * committed, and where in the log.
 */
export interface Happened {
  readonly kind: "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE";
  readonly table: string;
  readonly old: Record<string, any> | null;
  readonly new: Record<string, any> | null;
}

/** What the catalogue says of a table. */
export interface Definition {
  readonly name: string;
  readonly rls: boolean;
  readonly columns: readonly string[];
  /** Columns that these callers may read. */
  readonly readable: { readonly anon: readonly string[]; readonly user: readonly string[] };
  readonly policies: readonly {
    readonly name: string;
    readonly command: string;
    readonly permissive: boolean;
    readonly roles: readonly string[];
    readonly using: string | null;
  }[];
}

/** A committed transaction. */
export interface Committed {
  /** The place of its commit, as the first half of a `seq`. */
  readonly lsn: string;
  /** The definitions after it, if it changed any. */
  readonly definitions: readonly Definition[] | null;
  readonly rows: readonly Happened[];
}

const SNAPSHOT = `
create function oracle.definitions(app text) returns jsonb language sql stable security definer set search_path = pg_catalog as $$
  select coalesce(jsonb_agg(jsonb_build_object(
    'name', c.relname, 'rls', c.relrowsecurity,
    'columns', (select jsonb_agg(a.attname order by a.attnum) from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
    'readable', (select jsonb_object_agg(r.role, coalesce((
        select jsonb_agg(a.attname order by a.attnum) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          and has_column_privilege(app || '_' || r.role, c.oid, a.attnum, 'select')), '[]'))
      from (values ('anon'), ('user')) r (role)),
    'policies', coalesce((select jsonb_agg(jsonb_build_object(
        'name', p.policyname, 'command', p.cmd, 'permissive', p.permissive = 'PERMISSIVE',
        'roles', p.roles::text[], 'using', p.qual) order by p.policyname)
      from pg_policies p where p.schemaname = app and p.tablename = c.relname), '[]'))), '[]')
  from pg_class c where c.relnamespace = to_regnamespace(app) and c.relkind = 'r'
$$`;

/** Makes the table, the triggers' functions and the slot; call once per database. */
export async function beginHistory(db: pg.Pool, slot: string): Promise<void> {
  await db.query(`
    create schema oracle;
    create sequence oracle.numbers;
    create sequence oracle.writes;
    create table oracle.apps (app text);
    create table oracle.history (
      id bigint primary key default nextval('oracle.numbers'), xid bigint, kind text, app text, tbl text, old jsonb, new jsonb);
    ${SNAPSHOT};
    create function oracle.number() returns trigger language plpgsql security definer as $$
      begin new.w := nextval('oracle.writes'); return new; end $$;
    create function oracle.record() returns trigger language plpgsql security definer set timezone = 'UTC' as $$
      begin
        insert into oracle.history (xid, kind, app, tbl, old, new) values (
          pg_current_xact_id()::text::bigint & 4294967295, tg_op, tg_table_schema, tg_table_name,
          case when tg_op in ('UPDATE', 'DELETE') then to_jsonb(old) end,
          case when tg_op in ('INSERT', 'UPDATE') then to_jsonb(new) end);
        return null;
      end $$;
    create function oracle.defined() returns event_trigger language plpgsql security definer as $$
      begin
        insert into oracle.history (xid, kind, app, new)
        select pg_current_xact_id()::text::bigint & 4294967295, 'DEFINED', app, oracle.definitions(app) from oracle.apps;
      end $$;
    create event trigger oracle_defined on ddl_command_end execute function oracle.defined();
    create publication oracle for table oracle.history`);
  await db.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
}

/** Writes down from here on what happens to these tables. */
export async function follow(db: pg.Pool, app: string, tables: readonly string[]): Promise<void> {
  await db.query("insert into oracle.apps values ($1)", [app]);
  for (const table of tables) {
    const name = quoted(app, table);
    await db.query(`
      create trigger aa_number before insert or update on ${name} for each row execute function oracle.number();
      create trigger zz_record after insert or update or delete on ${name} for each row execute function oracle.record();
      create trigger zz_emptied after truncate on ${name} for each statement execute function oracle.record()`);
  }
}

/** The definitions as they are now. */
export async function definitionsNow(db: pg.Pool, app: string): Promise<Definition[]> {
  const { rows } = await db.query("select oracle.definitions($1) as found", [app]);
  return rows[0].found;
}

/** Reads on in the log of what was committed. A place that was read comes no second time. */
export class Commits {
  readonly #db: pg.Pool;
  readonly #slot: string;
  readonly #app: string;
  #last = "";

  constructor(db: pg.Pool, slot: string, app: string) {
    this.#db = db;
    this.#slot = slot;
    this.#app = app;
  }

  /** Forgets what was committed up to now. */
  async skip(): Promise<void> {
    await this.next();
  }

  /** What was committed since, in the order of the commits. */
  async next(): Promise<Committed[]> {
    // Of the protocol only "begin" is read: its byte, the commit's place, the time, the transaction.
    const begins = await this.#db.query(
      `select upper(encode(substr(data, 2, 8), 'hex')) as lsn, ('x' || encode(substr(data, 18, 4), 'hex'))::bit(32)::bigint as xid
       from pg_logical_slot_get_binary_changes($1, null, null, 'proto_version', '1', 'publication_names', 'oracle')
       where get_byte(data, 0) = 66`,
      [this.#slot],
    );
    const fresh = begins.rows.filter(({ lsn }) => lsn > this.#last);
    if (fresh.length === 0) return [];
    this.#last = fresh.at(-1).lsn;
    const { rows } = await this.#db.query(
      "select xid, kind, tbl, old, new from oracle.history where app = $1 and xid = any($2) order by id",
      [this.#app, fresh.map(({ xid }) => xid)],
    );
    const byXid = Map.groupBy(rows, ({ xid }) => String(xid));
    return fresh.map(({ lsn, xid }) => {
      const mine = byXid.get(String(xid)) ?? [];
      return {
        lsn,
        definitions: mine.findLast(({ kind }) => kind === "DEFINED")?.new ?? null,
        rows: mine
          .filter(({ kind }) => kind !== "DEFINED")
          .map(({ kind, tbl, old, new: after }) => ({ kind, table: tbl, old, new: after })),
      };
    });
  }
}
