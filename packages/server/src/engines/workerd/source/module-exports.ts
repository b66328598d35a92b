import { isNode, moduleName, type Node } from "./walk.ts";

/** One value a compiled module exports, and what is behind it as far as the text tells. */
export interface ModuleExport {
  readonly name: string;
  /** Where the name or declaration stands in the compiled text. */
  readonly start: number;
  readonly kind: ValueKind;
}

/** `unknown` for what only a run can tell: the result of a call, a variable set later. */
export type ValueKind = "class" | "function" | "fetcher" | "other" | "unknown";

/**
 * What a compiled module exports. Read from the JavaScript, not from the TypeScript: there every type is gone, also
 * one that is exported without saying so.
 */
export function moduleExports(program: Node): ModuleExport[] {
  const body = program.body as Node[];
  const scope = topLevel(body);
  const exports: ModuleExport[] = [];
  for (const statement of body) {
    if (statement.type === "ExportDefaultDeclaration") {
      const value = statement.declaration as Node;
      exports.push({ name: "default", start: statement.start, kind: kindOf(value, scope) });
    } else if (statement.type === "ExportNamedDeclaration") {
      for (const { name, start, value } of namedExports(statement, scope))
        exports.push({ name, start, kind: kindOf(value, scope) });
    }
  }
  return exports;
}

function namedExports(statement: Node, scope: Scope): { name: string; start: number; value: Node | null }[] {
  if (isNode(statement.declaration))
    return declared(statement.declaration).map(({ id, value }) => ({
      name: moduleName(id),
      start: statement.start,
      value,
    }));
  return (statement.specifiers as Node[]).map((specifier) => ({
    name: moduleName(specifier.exported),
    start: specifier.start,
    value: scope.get(moduleName(specifier.local)) ?? null,
  }));
}

/** Names of the module's own scope with what they start as; null where that can't be read. */
type Scope = ReadonlyMap<string, Node | null>;

function topLevel(body: readonly Node[]): Scope {
  const scope = new Map<string, Node | null>();
  for (const statement of body) {
    const declaration = isNode(statement.declaration) ? statement.declaration : statement;
    for (const { id, value } of declared(declaration)) scope.set(moduleName(id), value);
  }
  return scope;
}

function declared(declaration: Node): { id: unknown; value: Node | null }[] {
  if (declaration.type === "VariableDeclaration")
    return (declaration.declarations as Node[]).flatMap((item) =>
      (item.id as Node).type === "Identifier"
        ? [{ id: item.id, value: isNode(item.init) ? item.init : null }]
        : patternNames(item.id as Node).map((id) => ({ id, value: null })),
    );
  return isNode(declaration.id) ? [{ id: declaration.id, value: declaration }] : [];
}

/** The names a destructuring pattern binds. */
function patternNames(pattern: Node): Node[] {
  const names: Node[] = [];
  const open: unknown[] = [pattern];
  while (open.length > 0) {
    const node = open.pop();
    if (!isNode(node)) continue;
    if (node.type === "Identifier") names.push(node);
    else if (node.type === "ObjectPattern") open.push(...(node.properties as unknown[]));
    else if (node.type === "ArrayPattern") open.push(...(node.elements as unknown[]));
    else open.push(node.type === "Property" ? node.value : (node.argument ?? node.left));
  }
  return names;
}

const VALUES = new Set([
  "Literal",
  "TemplateLiteral",
  "ArrayExpression",
  "UnaryExpression",
  "UpdateExpression",
]);

function kindOf(start: Node | null, scope: Scope): ValueKind {
  let node = start;
  const seen = new Set<string>();
  while (node !== null && node.type === "Identifier") {
    const name = moduleName(node);
    if (seen.has(name)) return "unknown";
    seen.add(name);
    node = scope.get(name) ?? null;
    // Another name for a class is not the class's declaration: only a run can tell what it is.
    if (node !== null && isClass(node)) return "unknown";
  }
  if (node === null) return "unknown";
  if (isClass(node)) return "class";
  if (node.type === "ArrowFunctionExpression") return "function";
  if (node.type === "FunctionDeclaration" || node.type === "FunctionExpression")
    return node.generator === true ? "other" : "function";
  if (node.type === "ObjectExpression") return mayFetch(node) ? "fetcher" : "other";
  return VALUES.has(node.type) ? "other" : "unknown";
}

function isClass(node: Node): boolean {
  return node.type === "ClassDeclaration" || node.type === "ClassExpression";
}

/** Whether an object has a `fetch`, or may have one that can't be seen. */
function mayFetch(object: Node): boolean {
  return (object.properties as Node[]).some(
    (property) =>
      property.type === "SpreadElement" || property.computed === true || moduleName(property.key) === "fetch",
  );
}
