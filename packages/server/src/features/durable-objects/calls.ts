import type { Answer, Exchange } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { Principal } from "../../kernel/principal.ts";
import { type CallEnd, endOfFailure, onAnswerEnd, type RuntimeService } from "../runtime/service.ts";
import type { Activity } from "./activity.ts";
import { refuseBlamed } from "./blame.ts";
import { instanceNameProblem } from "./names.ts";
import type { ActorClass } from "./service.ts";

/** A call of an instance by someone inside Ambit, decided about. */
export interface ActorCall {
  readonly actor: ActorClass;
  readonly instance: string;
  /** On whose behalf. */
  readonly principal: Principal;
  /** Function or class inside the app that calls, or null. */
  readonly internalCaller: string | null;
  readonly loopDepth: number;
  readonly method: string;
  /** As user code sees it: `/_do/<class>/<instance>[/rest][?query]`. */
  readonly path: string;
  /** Flat, with `host` and who calls; the request's id is added. */
  readonly headers: readonly string[];
  readonly body: Exchange["body"];
  readonly timeoutMs: number;
}

/** Runs a call; the answer's body must be read to its end or destroyed. Throws REQUEST_ERROR, the engine's errors. */
export type CallActor = (call: ActorCall, signal?: AbortSignal) => Promise<Answer>;

export function createActorCalls(
  runtime: RuntimeService,
  activity: Pick<Activity, "saw">,
  clock: Clock,
): CallActor {
  return async (call, signal) => {
    const { actor, method, path } = call;
    const problem = instanceNameProblem(call.instance);
    if (problem !== null) throw errors.REQUEST_ERROR({ message: problem });
    refuseBlamed(runtime, clock, actor);
    await runtime.claimHome(actor.appId);
    const requestId = newUuid();
    const startedAtMs = clock();
    const { principal, internalCaller, loopDepth } = call;
    runtime.invocations.begin({
      ...{ requestId, appId: actor.appId, kind: "actors", unit: actor.name, trigger: "actor" },
      ...{ principal, internalCaller, loopDepth, mayUseService: false, method, startedAtMs },
      path: path.split("?", 1)[0]!,
      endedAtMs: null,
    });
    activity.saw(actor.id, call.instance, startedAtMs);
    const startedAt = performance.now();
    const end = (outcome: CallEnd, answered = true) =>
      runtime.invocations.end(requestId, {
        ...outcome,
        durationMs: performance.now() - startedAt,
        bytesIn: Buffer.isBuffer(call.body) ? call.body.length : 0,
        // Whether it goes on after its answer is not told here: it may.
        waiting: answered && outcome.end === "answered",
      });
    const headers = [...call.headers, "x-request-id", requestId];
    const exchange = { requestId, method, path, headers, body: call.body, timeoutMs: call.timeoutMs };
    try {
      const target = { kind: "actor", unit: actor.name } as const;
      const answer = await runtime.engine.request(`${actor.appId}/actors`, target, exchange, signal);
      onAnswerEnd(answer, (how) => end(how));
      return answer;
    } catch (error) {
      end(endOfFailure(error, signal), false);
      throw error;
    }
  };
}
