import type { Readable } from "node:stream";
import type { Platform } from "../../engines/platform.ts";
import { createExportStreams } from "../../kernel/export-streams.ts";
import { decisionErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Writes decisions out as lines of JSON. */
export interface Exports {
  /**
   * A stream of lines: one for each item, and a last one `{"type":"end","decisions":n}` without which it was cut. Reads on
   * as it is read; a reader that stops is given up after a minute. Throws GATEWAY_EXPORT_BUSY.
   */
  stream(parts: AsyncIterable<readonly object[]>): Readable;
}

/** `stallMs`: how long a reader may take for one piece. */
export function createExports(platform: Platform, stallMs: number = limits.exportStallMs): Exports {
  const open = createExportStreams(platform, {
    ...{ name: "gateway_export", atOnce: limits.exportsAtOnce, totalMs: limits.exportTotalMs, stallMs },
    chunkChars: limits.exportChunkChars,
    busy: () => decisionErrors.GATEWAY_EXPORT_BUSY({ headers: { "Retry-After": "30" } }),
  });
  return { stream: (parts) => open(() => textOf(parts)) };
}

/** The lines, in pieces of about `limits.exportChunkChars`. */
async function* textOf(parts: AsyncIterable<readonly object[]>): AsyncGenerator<string> {
  let [text, decisions] = ["", 0];
  for await (const part of parts) {
    for (const item of part) text += `${JSON.stringify(item)}\n`;
    decisions += part.length;
    if (text.length < limits.exportChunkChars) continue;
    yield text;
    text = "";
  }
  yield `${text}${JSON.stringify({ type: "end", decisions })}\n`;
}
