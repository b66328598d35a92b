import { CONTEXT_HEADER, type FunctionContext } from "../../engines/workerd/headers.ts";
import type { Answer, Exchange, Outcome } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import { ANONYMOUS, type KeyPrincipal, type Principal } from "../../kernel/principal.ts";
import { type CallEnd, endOfFailure, onAnswerEnd, type RuntimeService } from "../runtime/service.ts";
import type { FunctionRoute } from "./catalogue.ts";
import { contextJson } from "./context.ts";
import { functionErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** A call of a function, decided about. */
export interface FunctionCall {
  readonly route: FunctionRoute;
  readonly trigger: FunctionContext["trigger"];
  readonly principal: Principal;
  readonly key: KeyPrincipal | null;
  readonly internalCaller: string | null;
  readonly loopDepth: number;
  readonly verbose: boolean;
  readonly ip: string | null;
  readonly method: string;
  /** As user code sees it: path and query. */
  readonly path: string;
  /** Flat, with `host`, without anything Ambit vouches for; taken over, what Ambit vouches for is added to it. */
  readonly headers: string[];
  readonly body: Exchange["body"];
}

/** A call nobody made from outside: schedules, hooks, events. */
export const ofAmbit = {
  principal: ANONYMOUS,
  key: null,
  internalCaller: null,
  loopDepth: 0,
  ip: null,
  method: "POST",
} as const;

export interface FunctionCalls {
  /**
   * Registers the call and makes the exchange for the engine, without a time limit unless `timed`; `finish` must be
   * called once with how it ended.
   * @throws QUOTA_RATE_LIMIT when too many calls of the function are under way, FUNCTION_BLOCKED
   */
  open(call: FunctionCall, timed: boolean): Exchange;
  finish(route: FunctionRoute, requestId: string, outcome: Outcome): void;
  /** Runs it for a caller inside Ambit; the answer's body must be read to its end or destroyed. */
  run(call: FunctionCall, signal?: AbortSignal): Promise<Answer & { readonly requestId: string }>;
}

export function createCalls(runtime: RuntimeService, clock: Clock): FunctionCalls {
  const open = (call: FunctionCall, timed: boolean): Exchange => {
    const { route, principal, path } = call;
    if (route.load.inFlight >= limits.concurrent) throw tooMany(route);
    const blame = runtime.blamed(route.app.id, "functions", route.name);
    if (blame !== null) throw blocked(blame.reason, blame.untilMs - clock());
    const requestId = newUuid();
    const query = path.indexOf("?");
    route.load.inFlight += 1;
    runtime.invocations.begin({
      requestId,
      appId: route.app.id,
      kind: "functions",
      unit: route.name,
      principal,
      internalCaller: call.internalCaller,
      loopDepth: call.loopDepth,
      mayUseService: route.runsAsService,
      trigger: call.trigger,
      method: call.method,
      path: query === -1 ? path : path.slice(0, query),
      startedAtMs: clock(),
      endedAtMs: null,
    });
    call.headers.push(
      "x-request-id",
      requestId,
      CONTEXT_HEADER,
      contextJson(call, requestId, route.contextTail),
    );
    return {
      requestId,
      method: call.method,
      path,
      headers: call.headers,
      body: call.body,
      timeoutMs: timed ? route.timeoutMs : null,
    };
  };
  const finish = (route: FunctionRoute, requestId: string, outcome: Outcome): void => {
    route.load.inFlight -= 1;
    runtime.invocations.end(requestId, outcome);
  };
  return {
    open,
    finish,
    async run(call, signal) {
      const { route } = call;
      const exchange = open(call, true);
      const startedAt = performance.now();
      const end = (outcome: CallEnd, answered = true) =>
        finish(route, exchange.requestId, {
          ...outcome,
          durationMs: performance.now() - startedAt,
          bytesIn: Buffer.isBuffer(call.body) ? call.body.length : 0,
          // Whether it goes on after its answer is not told here: it may.
          waiting: answered && outcome.end === "answered",
        });
      try {
        const answer = await runtime.engine.request(route.key, route.target, exchange, signal);
        onAnswerEnd(answer, (how) => end(how));
        return { ...answer, requestId: exchange.requestId };
      } catch (error) {
        const how = endOfFailure(error, signal);
        end(how, false);
        if (how.end === "timeout") throw timedOut(route, performance.now() - startedAt);
        throw error;
      }
    },
  };
}

const tooMany = (route: FunctionRoute) =>
  errors.QUOTA_RATE_LIMIT({
    message: `${route.name} has ${limits.concurrent} calls under way.`,
    details: { limit: "function_concurrency" },
    headers: { "Retry-After": "1" },
  });

const blocked = (reason: string, leftMs: number) =>
  functionErrors.FUNCTION_BLOCKED({
    details: { reason },
    headers: { "Retry-After": String(Math.max(1, Math.ceil(leftMs / 1_000))) },
  });

export const timedOut = (route: Pick<FunctionRoute, "name" | "timeoutMs">, durationMs: number) =>
  functionErrors.FUNCTION_TIMEOUT({
    message: `${route.name} did not answer within ${route.timeoutMs} ms.`,
    details: { error: "function_timeout", duration_ms: Math.round(durationMs) },
  });
