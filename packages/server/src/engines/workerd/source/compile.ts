import { gzipSync } from "node:zlib";
import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";
import { parse as parseJavaScript } from "acorn";
import { type ParseResult, parseSync } from "oxc-parser";
import { transformSync } from "oxc-transform";
import { judgeImports } from "./imports.ts";
import { type Locate, locator } from "./locate.ts";
import { type ModuleExport, moduleExports } from "./module-exports.ts";
import { actorClass, functionEntry } from "./rules.ts";
import { type Position, RefusedSource } from "./source-error.ts";
import type { Node } from "./walk.ts";

/** What the compiler makes of one file; exactly one of `className` and `entry` is set. */
export interface CompileResult {
  readonly code: string;
  readonly sourceMap: string;
  readonly bytes: number;
  readonly compressedBytes: number;
  readonly className: string | null;
  readonly entry: "handler" | "default" | null;
}

/**
 * Judges and compiles one file. Runs in the compiler's own process only: the parsers are native code, and a few
 * kilobytes of nested brackets overflow their stack, which ends the process.
 */
export function compile(kind: "actor" | "function", source: string, fileName: string): CompileResult {
  judgeSource(source);
  const { code, map } = transform(source, fileName);
  const trace = new TraceMap(map);
  const { exports, locate } = readOutput(code, trace);
  return {
    code,
    sourceMap: map,
    bytes: Buffer.byteLength(code),
    compressedBytes: gzipSync(code).length,
    className: kind === "actor" ? actorClass(exports, locate) : null,
    entry: kind === "function" ? functionEntry(exports, locate) : null,
  };
}

const MEND = "Mend the syntax; the file is read as one TypeScript module, without JSX.";

function judgeSource(source: string): void {
  const locate = locator(source);
  const zero = source.indexOf("\0");
  if (zero >= 0) throw new RefusedSource("SYNTAX_ERROR", locate(zero), "the file has a NUL character", MEND);
  const parsed = parseSync("source.ts", source, {
    lang: "ts",
    sourceType: "module",
    showSemanticErrors: true,
  });
  const error = parsed.errors.find((item) => item.severity === "Error");
  if (error !== undefined) {
    const label = error.labels[0];
    throw new RefusedSource(
      "SYNTAX_ERROR",
      label === undefined ? null : locate(label.start),
      sentence(error.message),
      MEND,
    );
  }
  judgeImports(programOf(parsed), locate);
}

/** The tree crosses from native code as one JSON text, which has a size it can't exceed. */
function programOf(parsed: ParseResult): Node {
  try {
    return parsed.program as unknown as Node;
  } catch {
    throw new RefusedSource(
      "SOURCE_TOO_COMPLEX",
      null,
      "the code has too many statements to compile",
      "Make the file smaller and simpler; keep data out of the code.",
    );
  }
}

function transform(source: string, fileName: string): { code: string; map: string } {
  const output = transformSync(fileName, source, {
    lang: "ts",
    sourceType: "module",
    // The engine's V8 is newer than any language target; lower ones would import helpers that are not there.
    target: "esnext",
    sourcemap: true,
  });
  const error = output.errors.find((item) => item.severity === "Error");
  if (error !== undefined) throw new RefusedSource("SYNTAX_ERROR", null, sentence(error.message), MEND);
  if (output.map === undefined) throw new Error("The compiler gave no source map.");
  const { version, names, mappings } = output.map;
  // Without the source: whoever keeps the map keeps that anyway.
  return { code: output.code, map: JSON.stringify({ version, sources: [fileName], names, mappings }) };
}

/** The second judge, on the text that really runs. */
function readOutput(code: string, trace: TraceMap): { exports: ModuleExport[]; locate: Locate } {
  const inOutput = locator(code);
  const locate: Locate = (offset) => original(trace, inOutput(offset));
  let program: Node;
  try {
    program = parseJavaScript(code, { ecmaVersion: "latest", sourceType: "module" }) as unknown as Node;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const offset = (error as SyntaxError & { pos?: number }).pos;
    const message = sentence(error.message.replace(/ \(\d+:\d+\)$/, ""));
    throw new RefusedSource("SYNTAX_ERROR", offset === undefined ? null : locate(offset), message, MEND);
  }
  judgeImports(program, locate);
  return { exports: moduleExports(program), locate };
}

function original(trace: TraceMap, at: Position): Position | null {
  const found = originalPositionFor(trace, { line: at.line, column: at.column - 1 });
  return found.line === null ? null : { line: found.line, column: found.column + 1 };
}

/** A parser's message as the rest of a sentence. */
function sentence(message: string): string {
  const line = message.split("\n", 1)[0] ?? "";
  return line.length > 300 ? `${line.slice(0, 300)}…` : line.replace(/\.$/, "");
}
