import type { Outcome, ProgramKind, TailEvent } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import { limits } from "./limits.ts";
import type { Answered } from "./log-entry.ts";
import { failed } from "./outcome.ts";
import type { Invocation } from "./types.ts";

/** What the join gives on, each once. */
export interface JoinOutput {
  request(answered: Answered): void;
  run(appId: string, kind: ProgramKind, event: TailEvent): void;
}

/**
 * Brings together how a request was answered, which the door knows, and what its run said, which comes in batches a
 * little later, or earlier when the answer is long.
 */
export interface LogJoin {
  answered(invocation: Invocation, outcome: Outcome): void;
  said(appId: string, kind: ProgramKind, event: TailEvent): void;
  /** Gives on what waits, complete or not. */
  drain(): void;
  /** Resolves when everything that waits now has been given on. */
  settled(): Promise<void>;
}

interface Waiting extends Answered {
  readonly untilMs: number;
}

interface Early {
  readonly appId: string;
  readonly kind: ProgramKind;
  readonly events: TailEvent[];
  readonly untilMs: number;
}

export function createLogJoin(
  clock: Clock,
  isRunning: (requestId: string) => boolean,
  output: JoinOutput,
): LogJoin {
  // Maps keep their order, so the oldest are first.
  const waiting = new Map<string, Waiting>();
  const early = new Map<string, Early>();
  /** Requests under way whose run has been told of already. */
  const told = new Set<string>();
  let timer: NodeJS.Timeout | null = null;

  const sweep = (nowMs: number) => {
    timer = null;
    for (const [requestId, answered] of waiting) {
      if (answered.untilMs > nowMs) break;
      waiting.delete(requestId);
      output.request(answered);
    }
    for (const [requestId, { appId, kind, events, untilMs }] of early) {
      if (untilMs > nowMs) break;
      early.delete(requestId);
      told.add(requestId);
      for (const event of events) output.run(appId, kind, event);
    }
    if (waiting.size + early.size > 0) wake();
  };
  const wake = () => {
    timer ??= setTimeout(() => sweep(clock()), limits.joinSweepMs).unref();
  };

  return {
    answered(invocation, outcome) {
      const { requestId } = invocation;
      const events = early.get(requestId)?.events ?? [];
      if (events.length > 0) early.delete(requestId);
      // A socket whose opening has been told of is only told of again when it failed.
      if (told.size > 0 && told.delete(requestId) && !failed(outcome)) return;
      const answered = { invocation, outcome, events, untilMs: clock() + limits.joinMs };
      if (events.length > 0 || waiting.size >= limits.joining) return output.request(answered);
      waiting.set(requestId, answered);
      wake();
    },
    said(appId, kind, event) {
      const { requestId } = event;
      if (requestId === null || event.event !== "fetch") return output.run(appId, kind, event);
      const answered = waiting.get(requestId);
      if (answered !== undefined) {
        const { invocation } = answered;
        if (invocation.appId !== appId || invocation.kind !== kind || invocation.unit !== event.unit)
          return output.run(appId, kind, event);
        // A run is told when it is over; what comes later is told as a run of its own.
        waiting.delete(requestId);
        answered.events.push(event);
        return output.request(answered);
      }
      if (!isRunning(requestId) || told.has(requestId) || early.size >= limits.joining)
        return output.run(appId, kind, event);
      const known = early.get(requestId);
      if (known !== undefined) known.events.push(event);
      else early.set(requestId, { appId, kind, events: [event], untilMs: clock() + limits.joinMs });
      wake();
    },
    drain() {
      if (timer !== null) clearTimeout(timer);
      sweep(Number.POSITIVE_INFINITY);
    },
    async settled() {
      const last = [...waiting.keys()].at(-1);
      while (last !== undefined && waiting.has(last)) {
        await new Promise((resolve) => setTimeout(resolve, limits.joinSweepMs));
      }
    },
  };
}
