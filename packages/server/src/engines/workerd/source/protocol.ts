import type { CompileResult } from "./compile.ts";
import type { Refusal } from "./source-error.ts";

/** What the server asks of the compiler's process. */
export interface Job {
  readonly id: number;
  readonly kind: "actor" | "function";
  readonly source: string;
  readonly fileName: string;
}

/** What comes back: once `ready`, then one answer per job. */
export type Reply =
  | { readonly ready: true }
  | { readonly id: number; readonly result: CompileResult }
  | { readonly id: number; readonly refusal: Refusal }
  | { readonly id: number; readonly failure: string };

/** Told for every file that is nested beyond what can be read, however that was noticed. */
export const tooDeep: Refusal = {
  reason: "SYNTAX_ERROR",
  message: "the code is nested too deeply to be read",
  remediation: "Nest brackets, operators and statements less deeply.",
  at: null,
};
