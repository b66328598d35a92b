import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { z } from "zod";
import { checkDatabase } from "./database-check.ts";
import { invalid } from "./errors.ts";
import { limits } from "./limits.ts";

/** SQLite's largest integer. */
const MOST_NS = "9223372036854775807";

/** One instance outside its process: its database, its alarm, and where it came from. */
export const archiveSchema = z.object({
  format: z.literal("ambit-durable-object-instance"),
  version: z.literal(1),
  class_name: z.string().max(500),
  id: z.string().regex(/^[0-9a-f]{64}$/),
  name: z.string().nullable(),
  /** Nanoseconds since the epoch, as digits: more than a JSON number holds exactly. */
  alarm_ns: z
    .string()
    .regex(/^\d{1,19}$/)
    .refine((digits) => digits.length < MOST_NS.length || digits <= MOST_NS, "is later than can be kept")
    .nullable(),
  exported_at: z.string(),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe("Of the database"),
  data: z
    .string()
    .regex(/^[A-Za-z0-9+/]*={0,2}$/)
    .describe("The SQLite database, gzip, base64"),
});
export type Archive = z.infer<typeof archiveSchema>;

const MAGIC = "SQLite format 3\0";
const compress = promisify(gzip);
const decompress = promisify(gunzip);
const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

/** A directory only Ambit can read, removed when `work` is done. */
export async function withTemporary<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "ambit-instance-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The database in `file` (with what SQLite keeps beside it) as an archive's data. Throws VALIDATION_ERROR. */
export async function pack(file: string): Promise<Pick<Archive, "sha256" | "data">> {
  if ((await stat(file)).size > limits.archiveUnpackedBytes) throw tooLarge();
  // A process that was killed leaves writes beside the database; opening and closing it takes them in.
  const db = new DatabaseSync(file);
  try {
    db.exec("pragma trusted_schema = off; pragma wal_checkpoint(truncate); pragma journal_mode = delete");
  } finally {
    db.close();
  }
  const database = await readFile(file);
  if (database.length > limits.archiveUnpackedBytes) throw tooLarge();
  const packed = await compress(database);
  if (packed.length > limits.archiveBytes) throw tooLarge();
  return { sha256: sha256(database), data: packed.toString("base64") };
}

/** Writes the archive's database to `file`, once it has proved to be whole. Throws VALIDATION_ERROR. */
export async function unpack(archive: Archive, file: string): Promise<void> {
  const packed = Buffer.from(archive.data, "base64");
  if (packed.length > limits.archiveBytes) throw tooLarge();
  const database = await decompress(packed, { maxOutputLength: limits.archiveUnpackedBytes }).catch(
    (error) => {
      throw error.code === "ERR_BUFFER_TOO_LARGE" ? tooLarge() : broken("its data is not gzip");
    },
  );
  if (sha256(database) !== archive.sha256) throw broken("its checksum is another one");
  if (database.toString("latin1", 0, MAGIC.length) !== MAGIC) throw broken("it holds no SQLite database");
  await writeFile(file, database, { mode: 0o600 });
  const found = await checkDatabase(file);
  if (found !== "ok") throw broken(`its database is damaged: ${found.slice(0, 200)}`);
}

const tooLarge = () =>
  invalid(
    "ARCHIVE_TOO_LARGE",
    `The instance is larger than what is exported or imported in one piece: ${limits.archiveBytes} bytes compressed.`,
    "Let the class itself hand its data out in parts.",
  );

const broken = (why: string) =>
  invalid("ARCHIVE_INVALID", `The archive can't be used: ${why}.`, "Export the instance again.");
