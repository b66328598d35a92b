import { mapPosition, type SourceError } from "../../engines/workerd/source/index.ts";
import type { CanaryError } from "../../engines/workerd/types.ts";

/** What the file of a class or function is called, in messages and stacks. */
export const fileOf = (name: string): string => `${name}.ts`;

/** What is wrong with a file, as the deployer is told it. */
export const sourceProblem = (name: string, { message, remediation, reason, line, column }: SourceError) => ({
  message,
  remediation,
  details: { reason, file: fileOf(name), line, column, message },
});

/** Why a program does not start, in lines of the TypeScript; null for what is not known. */
export interface StartProblem {
  readonly unit: string | null;
  /** `room.ts:3: it failed` */
  readonly text: string;
  readonly line: number | null;
  readonly column: number | null;
}

/** `mapOf` gives a unit's source map, or null. */
export async function startProblem(
  { unit, line, column, message }: CanaryError,
  mapOf: (unit: string) => Promise<string | null>,
): Promise<StartProblem> {
  const map = unit === null || line === null ? null : await mapOf(unit);
  const at = map === null || line === null ? null : mapPosition(map, line, column ?? 1);
  const where = unit === null ? "" : `${fileOf(unit)}${at === null ? "" : `:${at.line}`}: `;
  return { unit, text: `${where}${message}`, line: at?.line ?? null, column: at?.column ?? null };
}
