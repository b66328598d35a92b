import type pg from "pg";

/** What somebody wrote that must never be read where it can't be erased. */
export interface Secrets {
  /** A word nobody else writes. */
  plant(name: string): string;
  /** One that a server has made. */
  learn(text: string): void;
  readonly all: readonly string[];
}

/** Nothing planted yet. */
export function newSecrets(): Secrets {
  const all: string[] = [];
  return {
    all,
    plant(name) {
      const text = `zq${name}${Math.random().toString(36).slice(2, 10)}`;
      all.push(text);
      return text;
    },
    learn: (text) => void all.push(text),
  };
}

/** The tables of the schema `ambit` in which the text stands, in whatever column, as it is or encoded. */
export async function tablesWith(superuser: pg.Client, text: string): Promise<string[]> {
  const { rows } = await superuser.query(
    "select relname as name from pg_class where relnamespace = 'ambit'::regnamespace and relkind = 'r' order by 1",
  );
  const found: string[] = [];
  const forms = [
    text,
    Buffer.from(text).toString("hex"),
    Buffer.from(text).toString("base64").replace(/=+$/, ""),
  ];
  for (const { name } of rows) {
    const { rows: hits } = await superuser.query(
      `select 1 from ambit."${name}" t, unnest($1::text[]) as form where strpos(lower(t::text), lower(form)) > 0 limit 1`,
      [forms],
    );
    if (hits.length > 0) found.push(name);
  }
  return found;
}
