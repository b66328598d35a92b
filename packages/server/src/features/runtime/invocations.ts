import type { Outcome, ProgramKind } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import { limits } from "./limits.ts";
import type { Invocation, Invocations } from "./types.ts";

/** The registry, with what only this feature asks it. */
export interface Registry extends Invocations {
  isRunning(requestId: string): boolean;
  /** Requests the program lost with its process just now, oldest first; each is told of once. */
  takeLost(appId: string, kind: ProgramKind): Invocation[];
}

/** The registry of requests in user code; `onEnd` hears of every end. Nothing in it waits. */
export function createInvocations(
  clock: Clock,
  onEnd: (invocation: Invocation, outcome: Outcome) => void,
): Registry {
  const running = new Map<string, Invocation>();
  /** In the order in which they were answered, so that the oldest are first. */
  const waiting = new Map<string, Invocation>();
  let lost: { invocation: Invocation; atMs: number }[] = [];

  const dropOld = (nowMs: number) => {
    for (const [requestId, { endedAtMs }] of waiting) {
      if (waiting.size <= limits.waiting && nowMs - endedAtMs! <= limits.waitingMs) return;
      waiting.delete(requestId);
    }
  };
  return {
    begin(invocation) {
      running.set(invocation.requestId, invocation);
    },
    find(appId, kind, requestId) {
      const found = running.get(requestId) ?? waiting.get(requestId);
      if (found === undefined || found.appId !== appId || found.kind !== kind) return null;
      if (found.endedAtMs !== null && clock() - found.endedAtMs > limits.waitingMs) return null;
      return found;
    },
    end(requestId, outcome) {
      const invocation = running.get(requestId);
      if (invocation === undefined) return;
      running.delete(requestId);
      if (outcome.waiting) waiting.set(requestId, { ...invocation, endedAtMs: clock() });
      if (waiting.size > 0) dropOld(clock());
      if (wasLost(outcome) && lost.length < limits.lostRequests) lost.push({ invocation, atMs: clock() });
      onEnd(invocation, outcome);
    },
    isRunning: (requestId) => running.has(requestId),
    takeLost(appId, kind) {
      const since = clock() - limits.lostMs;
      const ofProgram = ({ invocation }: { invocation: Invocation }) =>
        invocation.appId === appId && invocation.kind === kind;
      const recent = lost.filter(({ atMs }) => atMs >= since);
      lost = recent.filter((each) => !ofProgram(each));
      return recent.filter(ofProgram).map(({ invocation }) => invocation);
    },
  };
}

/** Whether it was running when its process was lost: not an open socket, and not turned away while nothing ran. Pure. */
function wasLost({ end, status }: Outcome): boolean {
  return end === "process_lost" && status !== 101 && status !== 503;
}
