import type { ColumnPath, PathStep } from "./ast.ts";
import { limits } from "./limits.ts";
import { type Scanner, SyntaxProblem } from "./scanner.ts";

/**
 * Reads `column`, `column->key`, `column->0->>key`. A name or key in double quotes may contain anything, and is never
 * a reserved word or an index: `"order"`, `data->>"a.b"`. Unquoted ones end at a character of `stops` or at an arrow.
 */
export function readPath(scanner: Scanner, stops: string): ColumnPath {
  const { text: column } = readName(scanner, stops);
  const steps: PathStep[] = [];
  while (scanner.takes("->")) {
    const asText = scanner.takes(">");
    if (steps.at(-1)?.asText) throw new SyntaxProblem("->> gives text and ends a path; use -> before it");
    if (steps.length >= limits.pathSteps)
      throw new SyntaxProblem(`a path has at most ${limits.pathSteps} steps`);
    const { text, quoted } = readName(scanner, stops);
    const index = !quoted && /^-?\d{1,9}$/.test(text);
    steps.push({ key: index ? Number(text) : text, asText });
  }
  return { column, steps };
}

/** One name, in quotes or plain. Spaces around a plain one are not part of it. */
export function readName(scanner: Scanner, stops: string): { text: string; quoted: boolean } {
  scanner.spaces();
  if (scanner.sees('"')) {
    const text = scanner.quoted();
    scanner.spaces();
    return { text, quoted: true };
  }
  let text = scanner.until(`${stops}-`);
  while (scanner.sees("-") && !scanner.sees("->")) {
    scanner.at += 1;
    text += `-${scanner.until(`${stops}-`)}`;
  }
  text = text.trim();
  if (text === "") throw new SyntaxProblem("a name is missing");
  return { text, quoted: false };
}

/** The path as a caller would write it; also the identity of an order key. */
export function pathText({ column, steps }: ColumnPath): string {
  const shown = steps.map(({ key, asText }) => {
    const text =
      typeof key === "number" ? String(key) : /^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key);
    return `${asText ? "->>" : "->"}${text}`;
  });
  return column + shown.join("");
}
