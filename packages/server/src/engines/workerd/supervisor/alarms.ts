import { copyFile, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const FILES = ["metadata.sqlite", "metadata.sqlite-wal"] as const;
const NS_PER_MS = 1_000_000n;

/**
 * When the first alarm of a program falls due, in ms; null without one. Only while no process of the program runs. It
 * reads copies: opening the files themselves could leave some behind that the program's user can't write.
 */
export async function firstAlarmMs(storageDir: string): Promise<number | null> {
  let first: number | null = null;
  for (const uniqueKey of await directories(storageDir)) {
    const dueMs = await alarmOf(join(storageDir, uniqueKey));
    if (dueMs !== null && (first === null || dueMs < first)) first = dueMs;
  }
  return first;
}

/** Names of the directories in one; none if it is not there. */
export async function directories(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

async function alarmOf(namespaceDir: string): Promise<number | null> {
  const copy = await mkdtemp(join(tmpdir(), "ambit-alarms-"));
  try {
    if (!(await copied(namespaceDir, copy, FILES[0]))) return null;
    await copied(namespaceDir, copy, FILES[1]);
    return readAlarm(join(copy, FILES[0]));
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

async function copied(from: string, to: string, name: string): Promise<boolean> {
  try {
    await copyFile(join(from, name), join(to, name));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

function readAlarm(path: string): number | null {
  const database = new DatabaseSync(path);
  try {
    const known = database.prepare("select 1 from sqlite_master where name = '_cf_ALARM'").get();
    if (known === undefined) return null;
    const statement = database.prepare("select min(scheduled_time) as due from _cf_ALARM");
    statement.setReadBigInts(true);
    const due = statement.get()?.due;
    return typeof due === "bigint" ? Number(due / NS_PER_MS) : null;
  } finally {
    database.close();
  }
}
