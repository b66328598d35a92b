import { createHash } from "node:crypto";
import type { BuiltinFace } from "./types.ts";

/** How the built-in servers are called in paths, and at first also for people. */
export const BUILTIN: Readonly<Record<BuiltinFace, string>> = { merged: "ambit", verbs: "ambit-verbs" };

const FACES = Object.keys(BUILTIN) as BuiltinFace[];

/** The id of one of an organisation's built-in servers: a UUID (version 8) derived from the organisation's. Pure. */
export function builtinIdOf(organizationId: string, face: BuiltinFace = "merged"): string {
  const bytes = createHash("sha256")
    .update(`ambit built-in server (${face}) of ${organizationId}`)
    .digest()
    .subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Which built-in server of the organisation a reference names, by name or id; null for none. Pure. */
export const builtinFaceOf = (organizationId: string, reference: string): BuiltinFace | null =>
  FACES.find(
    (face) => reference === BUILTIN[face] || reference.toLowerCase() === builtinIdOf(organizationId, face),
  ) ?? null;
