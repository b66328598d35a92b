import type { Locate } from "./locate.ts";
import { type Position, RefusedSource } from "./source-error.ts";
import { isNode, literalText, type Node, walk } from "./walk.ts";

/** The one module user code may import. */
const ALLOWED = "cloudflare:workers";

/**
 * Refuses every way to bring in other code, and syntax that the engine can't run. Judged on the user's TypeScript,
 * because compilers drop imports that look unused, and again on the JavaScript that really runs: user code must not
 * reach the modules Ambit puts beside it.
 */
export function judgeImports(program: Node, locate: Locate): void {
  let first: { start: number; refusal: RefusedSource } | null = null;
  let requireCall: Node | null = null;
  let requireIsTheirs = false;
  const isLater = (node: Node) => first !== null && node.start >= first.start;
  walk(program, (node) => {
    if (isRequireCall(node) && (requireCall === null || node.start < requireCall.start)) requireCall = node;
    if (declaresRequire(node)) requireIsTheirs = true;
    // The first problem of the file is told, whatever the order of the walk.
    if (isLater(node)) return;
    const refusal = importProblem(node, locate) ?? syntaxProblem(node, locate);
    if (refusal !== null) first = { start: node.start, refusal };
  });
  const call = requireCall as Node | null;
  if (call !== null && !requireIsTheirs && !isLater(call))
    throw disallowed(locate(call.start), "require() does not exist here", ALLOWED);
  const found = first as { refusal: RefusedSource } | null;
  if (found !== null) throw found.refusal;
}

function importProblem(node: Node, locate: Locate): RefusedSource | null {
  const at = () => locate(node.start);
  switch (node.type) {
    case "ImportDeclaration": {
      if (typeof node.phase === "string")
        return disallowed(at(), `"import ${node.phase}" is not supported`, "");
      if (Array.isArray(node.attributes) && node.attributes.length > 0)
        return disallowed(at(), "import attributes are not supported", "");
      return specifierProblem(literalText(node.source), at());
    }
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration": {
      if (!isNode(node.source)) return null;
      const other = specifierProblem(literalText(node.source), at());
      if (other !== null || node.exportKind === "type") return other;
      return disallowed(at(), "exports of another module can't be passed on", "");
    }
    case "ImportExpression":
      return disallowed(at(), "import() is not supported", "");
    case "TSImportEqualsDeclaration":
      return isNode(node.moduleReference) && node.moduleReference.type === "TSExternalModuleReference"
        ? disallowed(at(), '"import … = require(…)" is not supported', "")
        : null;
    case "TSImportType":
      return specifierProblem(literalText(node.source ?? node.argument), at());
    default:
      return null;
  }
}

function syntaxProblem(node: Node, locate: Locate): RefusedSource | null {
  const refuse = (message: string, remediation: string) =>
    new RefusedSource("UNSUPPORTED_SYNTAX", locate(node.start), message, remediation);
  if (node.type === "Decorator")
    return refuse("decorators are not supported by the engine", "Call the decorating function yourself.");
  if (node.type === "AccessorProperty" || node.type === "TSAbstractAccessorProperty")
    return refuse("the accessor keyword is not supported by the engine", "Write a getter and a setter.");
  if (node.type === "TSExportAssignment")
    return refuse('"export =" is not supported', "Export with a name: export class … or export function ….");
  return null;
}

function specifierProblem(specifier: string | null, at: Position | null): RefusedSource | null {
  if (specifier === ALLOWED) return null;
  return disallowed(at, `only "${ALLOWED}" can be imported, not ${quoted(specifier)}`, specifier ?? "");
}

function quoted(specifier: string | null): string {
  if (specifier === null) return "this";
  return JSON.stringify(specifier.length > 80 ? `${specifier.slice(0, 80)}…` : specifier);
}

function disallowed(at: Position | null, message: string, specifier: string): RefusedSource {
  return new RefusedSource("DISALLOWED_IMPORT", at, message, remedyFor(specifier));
}

function remedyFor(specifier: string): string {
  if (specifier === ALLOWED || specifier === "")
    return `Write import { … } from "${ALLOWED}" at the top, and put all other code into this file.`;
  if (/^\.{0,2}\//.test(specifier)) return "Put everything into this one file.";
  if (specifier.startsWith("node:"))
    return "Use the Web APIs instead: fetch, crypto, URL, TextEncoder, streams, WebSocket.";
  if (specifier.startsWith("cloudflare:"))
    return `Import from "${ALLOWED}", or use fetch() and WebSocket to reach the network.`;
  return "Paste the code you need into this file, call the service with fetch(), or use the Web APIs.";
}

function isRequireCall(node: Node): boolean {
  return node.type === "CallExpression" && isNode(node.callee) && named(node.callee);
}

/** A `require` of the user's own is an ordinary function. */
function declaresRequire(node: Node): boolean {
  if (node.type === "VariableDeclarator") return named(node.id);
  if (node.type === "FunctionDeclaration" || node.type === "FunctionExpression")
    return named(node.id) || (Array.isArray(node.params) && node.params.some(named));
  if (node.type === "ArrowFunctionExpression") return Array.isArray(node.params) && node.params.some(named);
  return node.type === "ImportSpecifier" && named(node.local);
}

function named(value: unknown): boolean {
  return isNode(value) && value.type === "Identifier" && value.name === "require";
}
