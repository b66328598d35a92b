import { z } from "zod";
import type { SignedCheckpoint } from "./checkpoints.ts";
import { openingsOf } from "./export.ts";
import type { EntryRow } from "./store.ts";
import type { SeesValues } from "./visibility.ts";

/** Shapes of what the ledger's operations answer. Hashes are base64, as in checkpoints. */
export const checkpointShape = z.object({
  size: z.number().describe("Entries it covers"),
  root: z.string().describe("Root of the Merkle tree over them, base64"),
  note: z.string().describe("The signed note (C2SP tlog-checkpoint); keep it elsewhere as a witness"),
  at: z.string(),
});

export const checkpointView = ({ size, root, note, at }: SignedCheckpoint) => ({
  ...{ size, note, root: root.toString("base64"), at: at.toISOString() },
});

export const entryShape = z.object({
  index: z.number().nullable().describe("Its place in the tree; null for the moment until it has one"),
  entry: z
    .looseObject({ id: z.string(), at: z.string(), kind: z.string() })
    .describe("The entry: canonical JSON of it (RFC 8785) is what is in the tree"),
  openings: z
    .record(z.string(), z.object({ salt: z.string(), value: z.any() }))
    .optional()
    .describe("Sealed values that were not erased, with the salts that prove them"),
});

export function entryView(
  { index, entry: text, openings }: EntryRow,
  sees: SeesValues,
): z.infer<typeof entryShape> {
  const entry = JSON.parse(text) as z.infer<typeof entryShape>["entry"];
  const shown = sees(entry.kind) ? openingsOf(openings) : undefined;
  return { index, entry, openings: shown as z.infer<typeof entryShape>["openings"] };
}

export const base64 = (hash: Buffer): string => hash.toString("base64");
