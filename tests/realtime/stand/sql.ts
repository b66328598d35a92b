import type pg from "pg";

/** A table's name as SQL. */
export const quoted = (...names: string[]): string =>
  names.map((name) => `"${name.replaceAll('"', '""')}"`).join(".");

/** The place in the log up to which everything has been written, as the first half of a `seq`. */
export async function placeNow(db: pg.Pool): Promise<string> {
  const { rows } = await db.query("select pg_current_wal_insert_lsn()::text as lsn");
  const [high, low] = rows[0].lsn.split("/");
  return `${high.padStart(8, "0")}${low.padStart(8, "0")}`.toUpperCase();
}

/** Asks again until the database answers: for what has to outlive a crash of it. */
export async function insisting<T>(work: () => Promise<T>, withinMs = 20_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const { code } = error as { code?: string };
      // Postgres' own codes begin with no E; those of the system all do.
      const gone = code === undefined || /^(57P|08|E)/.test(code);
      if (!gone || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
