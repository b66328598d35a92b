import { CanaryError } from "../types.ts";
import type { Exit } from "./types.ts";

const MESSAGE_LINES = 5;
/** `  at file.js:2:7` or `  at file.js:2:7 in name`. */
const framePattern = /^\s+at \S.*?:(\d+):(\d+)(?: in .*)?$/;
/** Lines workerd writes that say nothing about the program. */
const noise = /^Unable to find and open the program executable/;

/** Drops what is always there. */
export function withoutNoise(stderr: string): string {
  return stderr
    .split("\n")
    .filter((line) => !noise.test(line))
    .join("\n");
}

/**
 * Reads from workerd's standard error which unit kept the program from starting, and where: `service fn-name: Uncaught
 * Error: why`, more lines of the message, then one line per frame, the innermost first.
 */
export function startFailure(exit: Exit): CanaryError {
  const text = withoutNoise(exit.stderr).trim();
  const service = /^service (?:do|fn)-([^:\s]+): /m.exec(text);
  if (!service) return new CanaryError(text ? firstLines(text) : `workerd ended at once (${endOf(exit)}).`);
  const lines = text.slice(service.index + service[0].length).split("\n");
  const frame = lines.findIndex((line) => framePattern.test(line));
  const place = framePattern.exec(lines[frame] ?? "");
  const message = lines.slice(0, frame === -1 ? undefined : frame).join("\n");
  return new CanaryError(firstLines(message.replace(/^Uncaught /, "").trim()), {
    unit: service[1] ?? null,
    line: place ? Number(place[1]) : null,
    column: place ? Number(place[2]) : null,
  });
}

/** A program that never said it listens. */
export function neverReady(stderr: string, timeoutMs: number): CanaryError {
  const told = withoutNoise(stderr).trim();
  return new CanaryError(
    `The program did not start within ${timeoutMs / 1000} s: code at the top level of a module never ends.${told ? `\n${told}` : ""}`,
  );
}

function firstLines(text: string): string {
  return text.split("\n").slice(0, MESSAGE_LINES).join("\n");
}

function endOf({ code, signal }: Exit): string {
  return signal ?? `exit code ${code}`;
}
