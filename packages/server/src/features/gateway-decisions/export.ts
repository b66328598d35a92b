import { Readable } from "node:stream";
import type { Platform } from "../../engines/platform.ts";
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
  const { metrics, log } = platform;
  let underWay = 0;
  const busy = () => {
    metrics.limitsHit.inc({ limit: "gateway_exports" });
    return decisionErrors.GATEWAY_EXPORT_BUSY({ headers: { "Retry-After": "30" } });
  };
  async function* pieces(parts: AsyncIterable<readonly object[]>, giveUp: (limit: string) => void) {
    if (underWay >= limits.exportsAtOnce) throw busy();
    underWay += 1;
    const total = setTimeout(giveUp, limits.exportTotalMs, "gateway_export_total").unref();
    let stalled: NodeJS.Timeout | undefined;
    try {
      for await (const piece of textOf(parts)) {
        stalled = setTimeout(giveUp, stallMs, "gateway_export_stall").unref();
        yield piece;
        clearTimeout(stalled);
      }
    } finally {
      clearTimeout(total);
      clearTimeout(stalled);
      underWay -= 1;
    }
  }
  return {
    stream(parts) {
      if (underWay >= limits.exportsAtOnce) throw busy();
      const giveUp = (limit: string) => {
        metrics.limitsHit.inc({ limit });
        body.destroy(new Error(`given up: ${limit}`));
      };
      const body: Readable = Readable.from(pieces(parts, giveUp), {
        ...{ objectMode: false, highWaterMark: limits.exportChunkChars },
      });
      body.once("error", (error) => log.warn({ err: error }, "an export of decisions broke off"));
      return body;
    },
  };
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
