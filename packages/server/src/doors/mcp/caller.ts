import type { Call } from "../../kernel/operation.ts";

/** What one HTTP request says about its caller; an operation's call adds the signal. */
export type Caller = Omit<Call, "door" | "signal" | "principalProblem">;
