import { writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** Checks the database named on the command line and writes what it found; a process of its own, see `database-check.ts`. */
function check(file: string): string {
  try {
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      db.exec("pragma trusted_schema = off; pragma cell_size_check = on");
      return String(db.prepare("pragma quick_check(1)").get()?.quick_check);
    } finally {
      db.close();
    }
  } catch (error) {
    return (error as Error).message || "it can't be read";
  }
}

writeSync(1, check(process.argv[2] ?? ""));
