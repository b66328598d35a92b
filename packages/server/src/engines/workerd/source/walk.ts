/** A node of an ESTree program, from oxc or acorn: what all nodes share. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** Whether a value found in a program is one of its nodes. */
export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as Node).type === "string";
}

/** Visits every node once, with a stack of its own: depth is the user's choice, our call stack is not. */
export function walk(root: Node, visit: (node: Node) => void): void {
  const open: unknown[] = [root];
  while (open.length > 0) {
    const value = open.pop();
    if (Array.isArray(value)) {
      for (const item of value) if (typeof item === "object" && item !== null) open.push(item);
    } else if (isNode(value)) {
      visit(value);
      for (const key in value) {
        const child = value[key];
        if (typeof child === "object" && child !== null) open.push(child);
      }
    }
  }
}

/** The text of a string literal, or null when it is anything else. */
export function literalText(value: unknown): string | null {
  if (!isNode(value)) return null;
  if (value.type === "TSLiteralType") return literalText(value.literal);
  return value.type === "Literal" && typeof value.value === "string" ? value.value : null;
}

/** The name a module gives something: an identifier, or a string for `export { a as "b c" }`. */
export function moduleName(value: unknown): string {
  if (!isNode(value)) return "";
  return value.type === "Identifier" ? String(value.name) : (literalText(value) ?? "");
}
