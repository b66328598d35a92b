import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Database } from "../../engines/postgres/database.ts";
import type { Clock } from "../../kernel/clock.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import { runtimeErrors } from "./errors.ts";
import { decideHome } from "./home-decision.ts";
import { limits } from "./limits.ts";
import { claimHome, type HomeRow } from "./store.ts";

export interface Homes {
  /** Resolves when this node keeps the app's actors; throws RUNTIME_ELSEWHERE when another one does. */
  claim(appId: string): Promise<void>;
  forget(appId: string): void;
}

/** The id of the disk, not of the machine: it moves with the data directory. Made at the first call. */
function readNodeId(dataDir: string): string {
  const directory = join(dataDir, "workerd");
  const file = join(directory, "node-id");
  try {
    const id = readFileSync(file, "utf8").trim();
    if (id !== "") return id;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  mkdirSync(directory, { recursive: true });
  const id = newUuid();
  writeFileSync(`${file}.new`, `${id}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return id;
}

/** First come, owns. A claim is never lost but with the app, so it is asked for once. */
export function createHomes(database: Database, dataDir: string, clock: Clock): Homes {
  let nodeId: string | undefined;
  const ours = new Set<string>();
  const elsewhere = new Map<string, { row: HomeRow; untilMs: number }>();
  return {
    async claim(appId) {
      if (ours.has(appId)) return;
      const known = elsewhere.get(appId);
      if (known !== undefined && clock() < known.untilMs) throw elsewhereError(known.row);
      nodeId ??= readNodeId(dataDir);
      const row = await claimHome(database, appId, { id: nodeId, host: hostname() });
      const decision = decideHome(row, nodeId);
      if (decision === "no_app") throw errors.RESOURCE_NOT_FOUND({ message: "There is no such app." });
      if (decision === "ours") {
        elsewhere.delete(appId);
        ours.add(appId);
        return;
      }
      elsewhere.set(appId, { row: row!, untilMs: clock() + limits.elsewhereMs });
      throw elsewhereError(row!);
    },
    forget(appId) {
      ours.delete(appId);
      elsewhere.delete(appId);
    },
  };
}

function elsewhereError(row: HomeRow): Error {
  return runtimeErrors.RUNTIME_ELSEWHERE({
    message: `The app's Durable Objects are kept on node ${row.node_id} (${row.host}).`,
    details: { node_id: row.node_id, host: row.host },
    headers: { "Retry-After": "5" },
  });
}
