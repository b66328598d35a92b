import {
  type EntryLine,
  exportLines,
  type ForeignLine,
  type Opening,
  type Openings,
  type SizedNote,
} from "@ambit/ledger";
import type { Database } from "../../engines/postgres/database.ts";
import { selectCheckpoints } from "./checkpoint-store.ts";
import { type ExportedLeaf, selectExportedLeaves } from "./export-store.ts";
import { limits } from "./limits.ts";
import type { SeesValues } from "./visibility.ts";

/** Openings as callers read them, from how they are kept. */
export function openingsOf(kept: Readonly<Record<string, string>> | null): Openings | undefined {
  if (kept === null) return undefined;
  const names = Object.keys(kept);
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, JSON.parse(kept[name]!) as Opening]));
}

const asLine = (leaf: ExportedLeaf, sees: SeesValues): EntryLine | ForeignLine => {
  const { index, entry, hash, kind, openings } = leaf;
  if (entry === null) return { index, leaf: hash };
  return { index, entry, leaf: hash, openings: sees(kind ?? "") ? openingsOf(openings) : undefined };
};

/** What was taken out has no line, neither as an entry nor as a hash that could be another's. */
async function* leavesOf(database: Database, organizationId: string, size: number, sees: SeesValues) {
  for (let next = 0; next < size; ) {
    const page = await selectExportedLeaves(database, organizationId, next, size);
    for (const leaf of page) if (!leaf.lost) yield asLine(leaf, sees);
    next = (page.at(-1)?.index ?? next + limits.exportLeaves - 1) + 1;
  }
}

async function* notesOf(database: Database, upTo: number | null): AsyncGenerator<SizedNote> {
  for (let after = -1; ; ) {
    const page = await selectCheckpoints(database, { after, upTo, limit: limits.pageCheckpoints });
    yield* page;
    if (page.length < limits.pageCheckpoints) return;
    after = page.at(-1)!.size;
  }
}

/**
 * The lines of an export of the first `size` entries, with every checkpoint of as many, or with `broken` every one there
 * is. Reads the database page by page as they are asked for, so that memory stays bounded; holds no connection in
 * between.
 */
export async function* exportedLines(
  database: Database,
  about: {
    readonly organizationId: string;
    readonly origin: string;
    readonly publicKey: string;
    readonly size: number;
    /** The ledger is not what was signed, and the export is to show it. */
    readonly broken: boolean;
    readonly nowMs: number;
    readonly sees: SeesValues;
  },
): AsyncGenerator<string> {
  const { organizationId, origin, publicKey, size, broken } = about;
  const lines = exportLines({
    header: {
      ...{ origin, public_key: publicKey, size, organization: organizationId },
      exported_at: new Date(about.nowMs).toISOString(),
    },
    leaves: leavesOf(database, organizationId, size, about.sees),
    checkpoints: notesOf(database, broken ? null : size),
  });
  // Sent one by one, short lines would cost more than they hold.
  let chunk: string[] = [];
  let chars = 0;
  for await (const line of lines) {
    chunk.push(line);
    chars += line.length;
    if (chars < limits.exportChunkChars) continue;
    yield chunk.join("");
    [chunk, chars] = [[], 0];
  }
  if (chunk.length > 0) yield chunk.join("");
}
