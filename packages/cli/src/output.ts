import { Problem } from "./problem.ts";

export const print = (text: string) => process.stdout.write(`${text}\n`);

/** For people beside what is meant for programs: on standard error. */
export const tell = (text: string) => process.stderr.write(`${text}\n`);

/** One JSON value; characters that could steer a terminal are written as escapes, which mean the same. */
export const printJson = (value: unknown) => print(jsonText(value, 2));

/** The same as one line. */
export const printJsonLine = (value: unknown) => print(jsonText(value));

/** JSON in which no character is invisible or steers a terminal. */
export function jsonText(value: unknown, indent?: number): string {
  const text = JSON.stringify(value, null, indent);
  return text.replace(/[^\P{C}\n]/gu, (char) =>
    Array.from({ length: char.length }, (_, at) => char.charCodeAt(at))
      .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

/** Text of others as one line that can't steer a terminal; no longer than `chars` where that is given. */
export function visible(text: string, chars = Number.POSITIVE_INFINITY): string {
  const line = text
    .trim()
    .replace(/[^\S ]+/g, " ")
    .replace(/\p{C}/gu, "\ufffd");
  return line.length <= chars ? line : `${line.slice(0, chars - 1)}…`;
}

/** Rows under one another in columns; the last column may be as long as it is. Makes every cell visible. */
export function columns(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => visible(cell)));
  const widths: number[] = [];
  for (const row of cells) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  return cells.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join("  ")
      .trimEnd(),
  );
}

/** Runs a command; a Problem becomes one line on standard error and this exit code. */
export async function guarded(run: () => Promise<void>, exitCode = 1): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    tell(`ambit: ${error.message}`);
    process.exitCode = exitCode;
  }
}
