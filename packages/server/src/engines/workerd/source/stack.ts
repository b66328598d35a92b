import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";
import { LRUCache } from "lru-cache";
import { limits } from "./limits.ts";
import type { Position } from "./source-error.ts";

/** A frame ends in `<module>.js:<line>:<column>`, in brackets if the function has a name. */
const FRAME = /^\s*at (?:.*[\s(])?(?:file:\/\/\/)?([^\s()]+\.js):(\d{1,9}):(\d{1,9})(\)?)$/;
const OURS = /^ambit[/-]/;

/**
 * A stack of the emitted JavaScript as the user reads it: frames of the user's one module (`<any name>.js`, at the top
 * of the isolate's modules) become `<fileName>:line:column`, frames of Ambit's own modules (`ambit/….js`) are left out,
 * everything else stays.
 */
export function mapStack(stack: string, sourceMap: string, fileName: string): string {
  const trace = parsed(sourceMap);
  if (trace === null) return stack;
  const lines: string[] = [];
  for (const [index, line] of stack.split("\n").entries()) {
    const frame = index < limits.stackLines && line.length <= limits.stackLineChars ? FRAME.exec(line) : null;
    const [, module = "", row, column, bracket = ""] = frame ?? [];
    if (OURS.test(module)) continue;
    const isUsers = frame !== null && !/[/:\\]/.test(module);
    const at = isUsers ? original(trace, Number(row), Number(column)) : null;
    if (at === null) lines.push(line);
    else lines.push(`${beforePlace(line)}${fileName}:${at.line}:${at.column}${bracket}`);
  }
  return lines.join("\n");
}

/** A frame's line up to where it says the place: after the last space or opening bracket. */
function beforePlace(line: string): string {
  return line.slice(0, Math.max(line.lastIndexOf(" "), line.lastIndexOf("(")) + 1);
}

/** Where a place of the emitted JavaScript was in the TypeScript; lines and columns count from 1, as in stacks. */
export function mapPosition(sourceMap: string, line: number, column: number): Position | null {
  const trace = parsed(sourceMap);
  return trace === null ? null : original(trace, line, column);
}

function original(trace: TraceMap, line: number, column: number): Position | null {
  if (line < 1 || column < 1) return null;
  const found = originalPositionFor(trace, { line, column: column - 1 });
  return found.line === null ? null : { line: found.line, column: found.column + 1 };
}

const maps = new LRUCache<string, TraceMap>({ max: limits.parsedMaps });

/** The map, or null for a text that is none: a log entry is better unmapped than lost. */
function parsed(sourceMap: string): TraceMap | null {
  const known = maps.get(sourceMap);
  if (known !== undefined) return known;
  try {
    const trace = new TraceMap(sourceMap);
    maps.set(sourceMap, trace);
    return trace;
  } catch {
    return null;
  }
}
