import type { IncomingHttpHeaders } from "node:http";
import type { Caller } from "./caller.ts";
import type { Catalogue, Toolset } from "./catalogue.ts";
import type { McpDoorDeps } from "./deps.ts";
import type { PlainAnswer } from "./exchange.ts";
import { createFace } from "./face.ts";

/** Ambit's own tools as the gateway reaches them: without HTTP in between, as whoever the gateway says. */
export interface BuiltinServers {
  /** One exchange; aborting `signal` ends it. A plain request's answer is one text. */
  exchange(
    which: keyof Catalogue,
    caller: Caller,
    headers: IncomingHttpHeaders,
    message: unknown,
    signal: AbortSignal,
  ): Promise<PlainAnswer | Response>;
  /** Ends the open streams. */
  close(): Promise<void>;
}

/** Both ways of offering the operations, each with nothing callable but what it lists. */
export function createBuiltinServers(deps: McpDoorDeps, catalogue: Catalogue): BuiltinServers {
  const faces = {
    merged: createFace(deps, listedOnly(catalogue.merged)),
    verbs: createFace(deps, listedOnly(catalogue.verbs)),
  };
  return {
    exchange: (which, caller, headers, message, signal) =>
      faces[which].exchange(caller, headers, message, signal),
    async close() {
      await Promise.all([faces.merged.close(), faces.verbs.close()]);
    },
  };
}

/** A name that no list shows would be one that no policy has thought of. */
function listedOnly(toolset: Toolset): Toolset {
  const names = new Set(toolset.listed.map(({ name }) => name));
  return { ...toolset, callable: new Map([...toolset.callable].filter(([name]) => names.has(name))) };
}
