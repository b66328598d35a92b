import { chmod, copyFile, lchown, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** An instance's file as it lies on the disk. */
export interface StoredInstance {
  readonly id: string;
  readonly bytes: number;
  readonly changedAtMs: number;
}

const ID = /^[0-9a-f]{64}$/;
/** A database and what SQLite keeps beside it. */
const SUFFIXES = [".sqlite", ".sqlite-wal", ".sqlite-shm"] as const;
/** Files looked at side by side. */
const AT_ONCE = 64;
const METADATA = "metadata.sqlite";

export const isInstanceId = (text: string): boolean => ID.test(text);

/** Instances of a class that have storage. Only names, sizes and times are looked at. */
export async function listStored(storageDir: string, uniqueKey: string): Promise<StoredInstance[]> {
  const directory = join(storageDir, uniqueKey);
  const names = await readdir(directory).catch(emptyIfMissing);
  const ids = names
    .filter((name) => name.endsWith(".sqlite"))
    .map((name) => name.slice(0, -".sqlite".length));
  const found: StoredInstance[] = [];
  const wanted = ids.filter(isInstanceId);
  for (let at = 0; at < wanted.length; at += AT_ONCE) {
    const some = wanted.slice(at, at + AT_ONCE);
    const stored = await Promise.all(some.map((id) => findStored(storageDir, uniqueKey, id)));
    found.push(...stored.filter((each) => each !== null));
  }
  return found;
}

export async function findStored(
  storageDir: string,
  uniqueKey: string,
  id: string,
): Promise<StoredInstance | null> {
  const base = join(storageDir, uniqueKey, id);
  const [main, wal] = await Promise.all([lstatFile(`${base}.sqlite`), lstatFile(`${base}.sqlite-wal`)]);
  if (main === null) return null;
  return {
    id,
    bytes: main.size + (wal?.size ?? 0),
    changedAtMs: Math.max(main.mtimeMs, wal?.mtimeMs ?? 0),
  };
}

/** Removes all instances of a class. Only while no process has the storage. */
export async function removeClass(storageDir: string, uniqueKey: string): Promise<void> {
  await rm(join(storageDir, uniqueKey), { recursive: true, force: true });
}

/** Removes one instance and its alarm. Only while no process has the storage. */
export async function removeInstance(storageDir: string, uniqueKey: string, id: string): Promise<void> {
  const directory = join(storageDir, uniqueKey);
  await writeAlarm(directory, id, null);
  for (const suffix of SUFFIXES) await rm(join(directory, id + suffix), { force: true });
}

/** Copies one instance to `target`, as SQLite keeps it. Only while no process has the storage. */
export async function copyOut(
  storageDir: string,
  uniqueKey: string,
  id: string,
  target: string,
): Promise<{ alarmNs: bigint | null }> {
  const directory = join(storageDir, uniqueKey);
  for (const suffix of [".sqlite", ".sqlite-wal"]) {
    const file = join(directory, id + suffix);
    if ((await lstatFile(file)) !== null) await copyFile(file, target + suffix.slice(".sqlite".length));
  }
  return { alarmNs: await readAlarm(directory, id) };
}

/** Puts a database in the place of an instance's. Only while no process has the storage. */
export async function copyIn(
  storageDir: string,
  uniqueKey: string,
  instance: { id: string; name: string | null },
  source: string,
  alarmNs: bigint | null,
): Promise<void> {
  const directory = join(storageDir, uniqueKey);
  await mkdir(directory, { recursive: true, mode: 0o755 });
  if (!(await lstat(directory)).isDirectory()) throw new Error(`${directory} is no directory`);
  await removeInstance(storageDir, uniqueKey, instance.id);
  const file = join(directory, `${instance.id}.sqlite`);
  await copyFile(source, file);
  await chmod(file, 0o644);
  if (alarmNs !== null) await writeAlarm(directory, instance.id, { atNs: alarmNs, name: instance.name });
  await giveTo(storageDir, directory, instance.id);
}

/** The process of the app runs as another user than Ambit: what was written for it must be that user's. */
async function giveTo(storageDir: string, directory: string, id: string): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = await lstat(storageDir);
  await lchown(directory, uid, gid);
  const written = [`${id}.sqlite`, METADATA, `${METADATA}-wal`, `${METADATA}-shm`];
  for (const name of written) {
    if ((await lstatFile(join(directory, name))) !== null) await lchown(join(directory, name), uid, gid);
  }
}

async function readAlarm(directory: string, id: string): Promise<bigint | null> {
  if ((await lstatFile(join(directory, METADATA))) === null) return null;
  const db = new DatabaseSync(join(directory, METADATA));
  try {
    if (!hasAlarms(db)) return null;
    const query = db.prepare("select scheduled_time from _cf_ALARM where actor_id = ?");
    query.setReadBigInts(true);
    return (query.get(id)?.scheduled_time as bigint | undefined) ?? null;
  } finally {
    db.close();
  }
}

async function writeAlarm(
  directory: string,
  id: string,
  alarm: { atNs: bigint; name: string | null } | null,
): Promise<void> {
  const file = join(directory, METADATA);
  if ((await lstatFile(file)) === null && alarm === null) return;
  const db = new DatabaseSync(file);
  try {
    if (alarm === null) {
      if (hasAlarms(db)) db.prepare("delete from _cf_ALARM where actor_id = ?").run(id);
      return;
    }
    // As workerd makes it.
    db.exec(
      "pragma journal_mode = wal; create table if not exists _cf_ALARM (actor_id TEXT PRIMARY KEY, scheduled_time INTEGER, actor_name TEXT) WITHOUT ROWID",
    );
    db.prepare(
      "insert or replace into _cf_ALARM (actor_id, scheduled_time, actor_name) values (?, ?, ?)",
    ).run(id, alarm.atNs, alarm.name);
  } finally {
    db.close();
  }
}

const hasAlarms = (db: DatabaseSync): boolean =>
  db.prepare("select 1 from sqlite_master where name = '_cf_ALARM'").get() !== undefined;

/**
 * Size and times of a plain file; null for what is not there. Anything else throws: what runs in there is not trusted,
 * and a link would have us read or write whatever it points to.
 */
async function lstatFile(path: string): Promise<{ size: number; mtimeMs: number } | null> {
  const found = await lstat(path).catch(nullIfMissing);
  if (found !== null && !found.isFile()) throw new Error(`${path} is no plain file`);
  return found;
}

function nullIfMissing(error: NodeJS.ErrnoException): null {
  if (error.code === "ENOENT") return null;
  throw error;
}

function emptyIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === "ENOENT") return [];
  throw error;
}
