import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { copyIn, copyOut, findStored, listStored, removeInstance } from "./storage-files.ts";

const [ID, OTHER] = ["a".repeat(64), "b".repeat(64)];
let root: string;
let storage: string;
let source: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "ambit-files-"));
  storage = join(root, "storage");
  mkdirSync(storage);
  source = join(root, "source.sqlite");
  const db = new DatabaseSync(source);
  db.exec("create table t (a); insert into t values (1)");
  db.close();
});
afterEach(() => rmSync(root, { recursive: true }));

it("brings an instance in and out with its alarm to the nanosecond, and leaves the others alone", async () => {
  const alarmNs = 1_900_000_000_123_456_789n;
  await copyIn(storage, "k", { id: ID, name: "n" }, source, alarmNs);
  await copyIn(storage, "k", { id: OTHER, name: null }, source, 5n);
  const target = join(root, "out.sqlite");
  expect(await copyOut(storage, "k", ID, target)).toEqual({ alarmNs });
  expect(readFileSync(target)).toEqual(readFileSync(source));
  expect((await listStored(storage, "k")).map(({ id }) => id).sort()).toEqual([ID, OTHER]);
  await removeInstance(storage, "k", ID);
  expect(await findStored(storage, "k", ID)).toBeNull();
  expect(await copyOut(storage, "k", OTHER, target)).toEqual({ alarmNs: 5n });
  expect(await listStored(storage, "none")).toEqual([]);
});

it("follows no link that code in the process may have made", async () => {
  const secret = join(root, "secret");
  writeFileSync(secret, "secret");
  mkdirSync(join(storage, "k"));
  symlinkSync(secret, join(storage, "k", `${ID}.sqlite`));
  await expect(copyOut(storage, "k", ID, join(root, "out.sqlite"))).rejects.toThrow("plain file");
  symlinkSync(join(root, "made"), join(storage, "k", "metadata.sqlite"));
  await expect(copyIn(storage, "k", { id: OTHER, name: null }, source, 5n)).rejects.toThrow("plain file");
  expect(existsSync(join(root, "made"))).toBe(false);
  const elsewhere = join(root, "elsewhere");
  mkdirSync(elsewhere);
  symlinkSync(elsewhere, join(storage, "linked"));
  await expect(copyIn(storage, "linked", { id: ID, name: null }, source, null)).rejects.toThrow(
    "no directory",
  );
  expect(readFileSync(secret, "utf8")).toBe("secret");
});
