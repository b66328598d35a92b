import { Readable } from "node:stream";
import type { AmbitError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";

export interface ExportBounds {
  /** In the names of limits that are hit: `<name>s`, `<name>_total`, `<name>_stall`. */
  readonly name: string;
  /** Streams that are read at once. */
  readonly atOnce: number;
  /** How long one may take. */
  readonly totalMs: number;
  /** How long its reader may take for one piece. */
  readonly stallMs: number;
  /** What is kept ready for the reader. */
  readonly chunkChars: number;
  /** What is answered when there are too many. */
  busy(): AmbitError;
}

/**
 * Opens streams of text that read on only as they are read: nothing is held before the first piece is asked for, and a
 * reader that stops is given up. Opening throws `busy`.
 */
export function createExportStreams(
  { metrics, log }: { readonly metrics: Pick<Metrics, "limitsHit">; readonly log: Log },
  bounds: ExportBounds,
): (pieces: () => AsyncIterable<string>) => Readable {
  const { name, atOnce, totalMs, stallMs, chunkChars } = bounds;
  let underWay = 0;
  const busy = () => {
    metrics.limitsHit.inc({ limit: `${name}s` });
    return bounds.busy();
  };
  async function* bounded(pieces: () => AsyncIterable<string>, giveUp: (limit: string) => void) {
    if (underWay >= atOnce) throw busy();
    underWay += 1;
    const total = setTimeout(giveUp, totalMs, `${name}_total`).unref();
    let stalled: NodeJS.Timeout | undefined;
    try {
      for await (const piece of pieces()) {
        stalled = setTimeout(giveUp, stallMs, `${name}_stall`).unref();
        yield piece;
        clearTimeout(stalled);
      }
    } finally {
      clearTimeout(total);
      clearTimeout(stalled);
      underWay -= 1;
    }
  }
  return (pieces) => {
    if (underWay >= atOnce) throw busy();
    const giveUp = (limit: string) => {
      metrics.limitsHit.inc({ limit });
      body.destroy(new Error(`given up: ${limit}`));
    };
    const body: Readable = Readable.from(bounded(pieces, giveUp), {
      ...{ objectMode: false, highWaterMark: chunkChars },
    });
    body.once("error", (error) => log.warn({ err: error, export: name }, "an export broke off"));
    return body;
  };
}
