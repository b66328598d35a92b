import { isAllowedType } from "./allow-list.ts";
import { literalText, strings } from "./ast.ts";
import type { Visit } from "./judge.ts";
import { isTrustedSchema } from "./rules-names.ts";

/** Rules for type names, wherever they stand: casts, column definitions, RETURNING of the JSON functions. */

/** `'english'::regconfig` is how Postgres itself prints the argument of to_tsvector. */
export function judgeCast({ fields, findings }: Visit): void {
  const typeName = fields.typeName as Record<string, unknown> | undefined;
  if (!typeName || literalText(fields.arg) === undefined) return;
  const parts = strings(typeName.names);
  if (parts.at(-1) === "regconfig" && isPlain(typeName, parts)) findings.acceptedTypes.add(typeName);
}

/** A type from the allow-list, or one that a rule has accepted in its place. */
export function judgeTypeName({ fields, findings, refuse }: Visit): void {
  if (findings.acceptedTypes.has(fields)) return;
  const parts = strings(fields.names);
  const name = parts.at(-1) ?? "";
  if (fields.setof || !isQualifiedTrusted(parts) || !isAllowedType(name)) {
    const message = `The type "${parts.join(".")}" may not be used here; use one of Postgres' ordinary data types.`;
    refuse("TYPE_NOT_ALLOWED", message, parts.join("."));
  }
}

const isQualifiedTrusted = (parts: string[]): boolean =>
  parts.length === 1 || (parts.length === 2 && isTrustedSchema(parts[0]!));

/** Neither an array, nor SETOF, nor of a foreign schema. */
export const isPlain = (typeName: Record<string, unknown>, parts: string[]): boolean =>
  isQualifiedTrusted(parts) && !typeName.setof && !typeName.arrayBounds;
