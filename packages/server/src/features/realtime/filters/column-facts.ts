/**
 * What filters want to know of a column beyond its type, as SQL over `a`, a row of pg_attribute. It does not depend on
 * the search path.
 */
export const COLUMN_FACTS = {
  /**
   * The type as SQL, in full, with the collation where the column's is not the type's own: a text cast to it compares
   * as the column does.
   */
  type: `(select pg_catalog.format_type(a.atttypid, a.atttypmod) ||
      coalesce((select pg_catalog.format(' collate %I.%I', s.nspname, l.collname)
        from pg_catalog.pg_collation l join pg_catalog.pg_namespace s on s.oid = l.collnamespace
        where l.oid = a.attcollation and l.oid <> t.typcollation), '')
    from pg_catalog.pg_type t where t.oid = a.atttypid)`,
  /**
   * `TextCollation`: `bytes` for collations that sort by bytes (C, POSIX, and all that Postgres brings with itself),
   * `equality` for others in which different bytes are different texts; else null.
   */
  collation: `(select case
      when not l.collisdeterministic then null
      when l.collprovider = 'b' or l.collprovider = 'c' and l.collcollate in ('C', 'POSIX') then 'bytes'
      when l.collprovider = 'd' and exists (select from pg_catalog.pg_database d
        where d.datname = pg_catalog.current_database() and d.encoding = 6
          and (d.datlocprovider = 'b' or d.datlocprovider = 'c' and d.datcollate in ('C', 'POSIX'))) then 'bytes'
      else 'equality' end
    from pg_catalog.pg_collation l where l.oid = a.attcollation)`,
  /** The values of an enum; null for other types. */
  labels: `(select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder)
    from pg_catalog.pg_enum e where e.enumtypid = a.atttypid)`,
} as const;
