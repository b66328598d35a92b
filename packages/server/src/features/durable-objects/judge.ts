import { compileActor, SourceError } from "../../engines/workerd/source/index.ts";
import { CanaryError } from "../../engines/workerd/types.ts";
import { AmbitError } from "../../kernel/errors.ts";
import { fileOf, sourceProblem, startProblem } from "../runtime/service.ts";
import { actorErrors, invalid } from "./errors.ts";
import { limits } from "./limits.ts";
import type { ServingRow } from "./store.ts";

/** The source compiled; throws VALIDATION_ERROR that says where and what is wrong with it. */
export async function compile(name: string, code: string): ReturnType<typeof compileActor> {
  try {
    return await compileActor(code, fileOf(name));
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    throw actorErrors.VALIDATION_ERROR({ ...sourceProblem(name, error), cause: error });
  }
}

/** Throws VALIDATION_ERROR when the app would have too many classes, or too much code. Pure. */
export function checkQuota(
  others: readonly Pick<ServingRow, "compressed_bytes">[],
  compressedBytes: number,
): void {
  if (others.length >= limits.classesPerApp) {
    throw invalid(
      "TOO_MANY_CLASSES",
      `The app has ${others.length} Durable Object classes, and may have ${limits.classesPerApp}.`,
      "Delete a class that is not used any more, or put the new behaviour into an existing one.",
    );
  }
  const total = others.reduce((sum, each) => sum + each.compressed_bytes, compressedBytes);
  if (total > limits.compressedBytesPerApp) {
    throw invalid(
      "BUNDLE_TOO_LARGE",
      `The app's classes would be ${total} bytes of compressed code, and may be ${limits.compressedBytesPerApp}.`,
      "Make the code smaller; keep data in storage rather than in the source.",
    );
  }
}

/** The source map of a class by its name, or null. */
export type SourceMaps = (name: string) => Promise<string | null>;

/** A program that does not start, as the deployer is told it: in lines of the TypeScript. Other errors stay as they are. */
export async function explainStart(error: unknown, maps: SourceMaps): Promise<unknown> {
  if (!(error instanceof CanaryError)) return error;
  const { unit, text, line, column } = await startProblem(error, maps);
  return invalid(
    "START_FAILED",
    text,
    "The classes were started on empty storage to try them. Nothing at the top level of the file may throw, wait or use the network; do such work in the constructor or in fetch.",
    { file: unit === null ? null : fileOf(unit), line, column, message: error.message },
  );
}

/** What a class's error_message says about a failed deploy. */
export function errorText(error: unknown): string {
  const text = error instanceof AmbitError ? error.message : "The deploy failed on the server; try again.";
  return text.replaceAll("\0", "\ufffd").slice(0, limits.errorMessageChars);
}
