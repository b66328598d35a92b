import { readPath, stepsOf } from "./paths.ts";
import { escapeStep } from "./pointer.ts";
import { limitRule } from "./rule-strings.ts";
import type { PlainLimit } from "./sugar.ts";
import type { Json, Judgement, PolicyCall, Reservation, Scope } from "./types.ts";

type Denial = Extract<Judgement, { outcome: "deny" }>;

/** A limit made ready. */
export interface CompiledLimit {
  /** What this call wants of the counter, or the denial of a call whose cost can't be told. */
  reserve(call: PolicyCall, nowMs: number): Reservation | Denial;
}

/** `~`, `/` and `:` separate what is in a key, so inside an id they are written as `~0`, `~1` and `~2`. */
function idInKey(id: string): string {
  return escapeStep(id).replaceAll(":", "~2");
}

/** What the keys of all counters of one grant (its sessions' apart) begin with. */
export function grantCounters(grantId: string): string {
  return `grant:${idInKey(grantId)}/`;
}

function ownerOf(scope: Scope, call: PolicyCall): string {
  if (scope === "server") return `server:${idInKey(call.serverId)}/`;
  // Without a session the grant is what there is to count.
  if (scope === "grant" || call.sessionId === null) return grantCounters(call.grantId);
  return `session:${idInKey(call.grantId)}:${idInKey(call.sessionId)}/`;
}

/** `tool` null: a limit of all tools. */
export function compileLimit(tool: string | null, limit: PlainLimit): CompiledLimit {
  const { counter, max, scope, windowMs } = limit;
  const rule = limitRule(tool, counter);
  const message = limit.on_deny ?? null;
  const suffix = `${escapeStep(counter)}/${limit.window}`;
  const cost = limit.cost === undefined ? null : costReader(limit.cost);
  const noCost: Denial = Object.freeze({
    outcome: "deny",
    rule,
    message: message ?? `${limit.cost} must be a whole number, 0 or more`,
  });
  return {
    reserve(call, nowMs) {
      const wanted = cost === null ? 1 : cost(call.args);
      if (wanted === null) return noCost;
      const windowStartMs = Math.floor(nowMs / windowMs) * windowMs;
      return {
        key: ownerOf(scope, call) + suffix,
        counter,
        windowStartMs,
        windowEndMs: windowStartMs + windowMs,
        cost: wanted,
        max,
        rule,
        message,
      };
    },
  };
}

/** Null for what can't be counted: only whole numbers from 0 on that a double holds exactly can. */
function costReader(path: string): (args: Json) => number | null {
  const steps = stepsOf(path);
  return (args) => {
    const given = readPath(args, steps);
    // `+ 0` makes −0 a plain 0.
    return Number.isSafeInteger(given) && (given as number) >= 0 ? (given as number) + 0 : null;
  };
}
