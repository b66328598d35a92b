import { Readable } from "node:stream";
import pg from "pg";
import type { Platform } from "../../engines/platform.ts";
import { VERSION } from "../../kernel/config.ts";
import { exportErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { exportLines, inChunks } from "./lines.ts";
import { exportedRows } from "./store.ts";

export interface SubstrateExportService {
  /**
   * Everything an organisation has in its substrate as lines of JSON, out of one snapshot. The database is read as the
   * stream is; a reader that stops reading is given up after a minute. A stream that fails ends without its last line.
   * Throws EXPORT_BUSY.
   */
  export(organizationId: string): Readable;
}

/** `stallMs`: how long a reader may take for one piece. */
export function createSubstrateExportService(
  platform: Platform,
  stallMs: number = limits.stallMs,
): SubstrateExportService {
  const { metrics, log } = platform;
  let underWay = 0;
  const busy = () => {
    metrics.limitsHit.inc({ limit: "substrate_exports" });
    return exportErrors.EXPORT_BUSY({ headers: { "Retry-After": "30" } });
  };

  /** Nothing is held before the first piece is asked for: a stream nobody reads costs nothing. */
  async function* pieces(organizationId: string, giveUp: (limit: string) => void): AsyncGenerator<string> {
    if (underWay >= limits.atOnce) throw busy();
    underWay += 1;
    const total = setTimeout(giveUp, limits.totalMs, "substrate_export_total").unref();
    let stalled: NodeJS.Timeout | undefined;
    try {
      for await (const piece of inChunks(linesOf(platform, organizationId), limits.chunkChars)) {
        stalled = setTimeout(giveUp, stallMs, "substrate_export_stall").unref();
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
    export(organizationId) {
      if (underWay >= limits.atOnce) throw busy();
      const giveUp = (limit: string) => {
        metrics.limitsHit.inc({ limit });
        body.destroy(new Error(`given up: ${limit}`));
      };
      const body: Readable = Readable.from(pieces(organizationId, giveUp), {
        ...{ objectMode: false, highWaterMark: limits.chunkChars },
      });
      body.once("error", (error) => log.warn({ err: error }, "an export of the substrate broke off"));
      return body;
    },
  };
}

/** The lines of an export, over a connection of its own: a slow reader must not hold one that others wait for. */
async function* linesOf({ database, clock }: Platform, organizationId: string): AsyncGenerator<string> {
  const client = new pg.Client({
    ...database.target,
    application_name: "ambit export",
    connectionTimeoutMillis: limits.connectMs,
  });
  client.on("error", () => {}); // the statement under way fails by itself
  try {
    await client.connect();
    const exportedAt = new Date(clock()).toISOString();
    yield* exportLines(
      { organizationId, exportedAt, version: VERSION },
      exportedRows(client, organizationId),
    );
  } finally {
    await client.end().catch(() => {});
  }
}
