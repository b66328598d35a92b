import { limits } from "../limits.ts";

/** What becomes of a program once its process has ended as asked. */
export type After = "start" | "sleep" | "work";

export type Phase =
  | "stopped"
  /** A process is starting; requests wait. */
  | "starting"
  | "running"
  /** Requests wait, those under way finish. */
  | "draining"
  /** The process has been told to end. */
  | "stopping"
  /** No process may run: somebody works on the storage. */
  | "working"
  /** It died too often: no start before `retryAtMs`. */
  | "failing";

/** The life of one program, as far as decisions need it. */
export interface ProgramState {
  readonly phase: Phase;
  readonly after: After;
  /** Deaths and failed starts in a row. */
  readonly deaths: number;
  readonly runningSinceMs: number;
  readonly retryAtMs: number;
  /** Starts after a death, ever. */
  readonly restarts: number;
}

export type ProgramEvent =
  /** A request or an alarm wants it to run. */
  | { readonly type: "wanted" }
  | { readonly type: "ready" }
  /** `old`: there is an earlier revision that ran before and can again. */
  | { readonly type: "start failed"; readonly old: boolean; readonly counts: boolean }
  /** The process ended and nobody asked it to. */
  | { readonly type: "died" }
  | { readonly type: "stop"; readonly after: After }
  | { readonly type: "drained" }
  | { readonly type: "ended" }
  | { readonly type: "worked" }
  /** A new revision: what was wrong with the one before counts no more. */
  | { readonly type: "forgive" };

export type Effect = "start" | "start old" | "release" | "refuse" | "drain" | "end" | "work" | "lose";

export const initialState: ProgramState = {
  phase: "stopped",
  after: "sleep",
  deaths: 0,
  runningSinceMs: 0,
  retryAtMs: 0,
  restarts: 0,
};

export interface Step {
  readonly state: ProgramState;
  readonly effects: readonly Effect[];
}

const stay = (state: ProgramState): Step => ({ state, effects: [] });

/** The next state, and what has to be done. Events that make no sense in a phase change nothing. */
export function next(state: ProgramState, event: ProgramEvent, nowMs: number): Step {
  switch (event.type) {
    case "wanted":
      return wanted(state, nowMs);
    case "ready":
      if (state.phase !== "starting") return stay(state);
      return { state: { ...state, phase: "running", runningSinceMs: nowMs }, effects: ["release"] };
    case "start failed":
      return startFailed(state, event, nowMs);
    case "died":
      return died(state, nowMs);
    case "stop":
      return stop(state, event.after);
    case "drained":
      if (state.phase !== "draining") return stay(state);
      return { state: { ...state, phase: "stopping" }, effects: ["end"] };
    case "ended":
      return state.phase === "stopping" ? settle(state) : stay(state);
    case "worked":
      return state.phase === "working" ? stay({ ...state, phase: "stopped", after: "sleep" }) : stay(state);
    case "forgive":
      if (state.phase === "failing") return stay({ ...state, phase: "stopped", deaths: 0, retryAtMs: 0 });
      return stay({ ...state, deaths: 0 });
  }
}

function wanted(state: ProgramState, nowMs: number): Step {
  if (state.phase === "failing" && nowMs < state.retryAtMs) return { state, effects: ["refuse"] };
  if (state.phase !== "stopped" && state.phase !== "failing") return stay(state);
  const restarts = state.restarts + (state.deaths > 0 ? 1 : 0);
  return { state: { ...state, phase: "starting", restarts }, effects: ["start"] };
}

function startFailed(state: ProgramState, event: { old: boolean; counts: boolean }, nowMs: number): Step {
  if (state.phase !== "starting") return stay(state);
  if (event.old) return { state, effects: ["start old"] };
  if (!event.counts) return { state: { ...state, phase: "stopped" }, effects: ["refuse"] };
  return { state: fail(state, state.deaths + 1, nowMs), effects: ["refuse"] };
}

function died(state: ProgramState, nowMs: number): Step {
  if (state.phase === "stopping") return settle(state);
  // What was to follow the drain follows at once.
  if (state.phase === "draining") return withLoss(settle(state));
  if (state.phase !== "running") return stay(state);
  const forgiven = nowMs - state.runningSinceMs >= limits.restartForgiveMs;
  return { state: fail(state, forgiven ? 1 : state.deaths + 1, nowMs), effects: ["lose"] };
}

const withLoss = ({ state, effects }: Step): Step => ({ state, effects: ["lose", ...effects] });

function fail(state: ProgramState, deaths: number, nowMs: number): ProgramState {
  const pauseMs = restartPauseMs(deaths);
  return { ...state, phase: pauseMs === 0 ? "stopped" : "failing", deaths, retryAtMs: nowMs + pauseMs };
}

/** The pause after so many deaths in a row: none at first, then doubling up to a bound. */
export function restartPauseMs(deaths: number): number {
  if (deaths <= limits.freeRestarts) return 0;
  const pauseMs = limits.restartFirstPauseMs * 2 ** (deaths - limits.freeRestarts - 1);
  return Math.min(pauseMs, limits.restartLongestPauseMs);
}

function stop(state: ProgramState, after: After): Step {
  switch (state.phase) {
    case "running":
      return { state: { ...state, phase: "draining", after }, effects: ["drain"] };
    case "stopped":
    case "failing":
      return settle({ ...state, after });
    default:
      return stay(state); // the driver lets one change end before the next begins
  }
}

/** Nothing runs: on to what was asked for. */
function settle(state: ProgramState): Step {
  switch (state.after) {
    case "start":
      return { state: { ...state, phase: "starting", after: "sleep" }, effects: ["start"] };
    case "work":
      return { state: { ...state, phase: "working" }, effects: ["work"] };
    case "sleep":
      return { state: { ...state, phase: "stopped" }, effects: [] };
  }
}
