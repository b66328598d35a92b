import { isAllowedType } from "./allow-list.ts";
import { literalText, strings } from "./ast.ts";
import { isCatalogType } from "./catalog-types.ts";
import type { Setting, Visit } from "./judge.ts";
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
export function judgeTypeName({ fields, findings, setting, refuse }: Visit): void {
  if (findings.acceptedTypes.has(fields)) return;
  const parts = strings(fields.names);
  if (!fields.setof && isOwnType(parts, setting)) return;
  const name = parts.at(-1) ?? "";
  if (fields.setof || !isQualifiedTrusted(parts) || !isAllowedType(name)) {
    const message = `The type "${parts.join(".")}" may not be used here; use one of Postgres' ordinary data types.`;
    refuse("TYPE_NOT_ALLOWED", message, parts.join("."));
  }
}

/** One of the app's enums. A name that Postgres would look up among its own types first is none. */
function isOwnType(parts: string[], { appSchema, appTypes }: Setting): boolean {
  const name = parts.at(-1) ?? "";
  const own = parts.length === 1 || (parts.length === 2 && parts[0] === appSchema);
  return own && appTypes.has(name) && !isCatalogType(name);
}

const isQualifiedTrusted = (parts: string[]): boolean =>
  parts.length === 1 || (parts.length === 2 && isTrustedSchema(parts[0]!));

/** Neither an array, nor SETOF, nor of a foreign schema. */
export const isPlain = (typeName: Record<string, unknown>, parts: string[]): boolean =>
  isQualifiedTrusted(parts) && !typeName.setof && !typeName.arrayBounds;
