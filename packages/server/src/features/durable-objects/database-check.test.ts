import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { checkDatabase } from "./database-check.ts";

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "ambit-check-"));
  file = join(dir, "x.sqlite");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const make = (sql: string) => {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
};

it("tells a sound database from one that is none", async () => {
  make("create table t(a); insert into t values (1)");
  expect(await checkDatabase(file)).toBe("ok");
  writeFileSync(file, "SQLite format 3\0 and then nothing of the kind");
  expect(await checkDatabase(file)).not.toBe("ok");
});

it("gives up on one whose columns take time without end, while everything else goes on", async () => {
  // Cheap while it is filled; the file's own text says otherwise afterwards.
  let bytes = "        1";
  make(
    `create table t(a, g as (length(hex(zeroblob(${bytes} + a)))) not null);
     with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000) insert into t(a) select i % 2 from n`,
  );
  const change = (to: number) => {
    const before = bytes;
    bytes = String(to).padStart(before.length);
    writeFileSync(file, readFileSync(file, "latin1").replace(before, bytes), "latin1");
  };
  change(2_000_000);
  let turns = 0;
  const ticking = setInterval(() => {
    turns += 1;
  }, 10);
  expect(await checkDatabase(file, 1_500)).toBe("it takes too long to check");
  clearInterval(ticking);
  expect(turns).toBeGreaterThan(20);
});
