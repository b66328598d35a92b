/**
 * User TypeScript: judged, compiled, and its stacks brought back to the lines the user wrote. Nothing here runs user
 * code; the parsers work in a process of their own, which is started on the first file.
 */
import { Compiler } from "./compiler.ts";
import { limits } from "./limits.ts";
import { type Refusal, SourceError } from "./source-error.ts";

export { bindingOf, isKebabName, kebabOf } from "./names.ts";
export { SourceError, type SourceReason } from "./source-error.ts";
export { mapPosition, mapStack } from "./stack.ts";

/** JavaScript for the engine, from one TypeScript file. */
export interface Compiled {
  readonly code: string;
  /** For `mapStack` and `mapPosition`; JSON, without the source. */
  readonly sourceMap: string;
  /** Of `code` as UTF-8. */
  readonly bytes: number;
  /** Of `code` under gzip. */
  readonly compressedBytes: number;
}

const compiler = new Compiler();

/**
 * A Durable Object's file. `className` is the name the class is exported under, which with `export { A as B }` is not
 * the one it was declared with. Rejects with SourceError when the file can't be deployed.
 */
export async function compileActor(
  source: string,
  fileName: string,
): Promise<Compiled & { readonly className: string }> {
  const { entry: _, className, ...compiled } = await compile("actor", source, fileName);
  return { ...compiled, className: className! };
}

/** A function's file; `entry` says which export answers. Rejects with SourceError when it can't be deployed. */
export async function compileFunction(
  source: string,
  fileName: string,
): Promise<Compiled & { readonly entry: "handler" | "default" }> {
  const { className: _, entry, ...compiled } = await compile("function", source, fileName);
  return { ...compiled, entry: entry! };
}

/** Ends the compiler's process, if there is one; a later file starts it again. */
export function closeCompiler(): Promise<void> {
  return compiler.close();
}

/** The compiler's process while there is one: for measuring and for tests. */
export function compilerPid(): number | null {
  return compiler.pid;
}

async function compile(kind: "actor" | "function", source: string, fileName: string) {
  const name = fileName.slice(0, limits.fileNameChars);
  // Every UTF-16 unit is at least one byte: no need to count the bytes of a huge text.
  if (source.length > limits.sourceBytes || Buffer.byteLength(source) > limits.sourceBytes)
    throw new SourceError(name, tooLarge);
  return compiler.compile(kind, source, name);
}

const tooLarge: Refusal = {
  reason: "SOURCE_TOO_LARGE",
  message: `the file is larger than ${limits.sourceBytes / 1024 / 1024} MB`,
  remediation: "Keep data out of the code: put it in storage or in a table.",
  at: null,
};
