import type { Print } from "./agent.ts";

/** How long the demo waits for something to happen before it counts as missing. */
const PATIENCE_MS = 10_000;

/** Something that was looked at, and how it was. */
export type Check = readonly [right: boolean, line: string];

/** Prints what was looked at, under a name if it has one; true when all of it is right. */
export function show(print: Print, name: string | null, checks: readonly Check[]): boolean {
  if (name !== null) print(`   ${name}`);
  for (const [right, line] of checks) print(`   ${right ? "✓" : "✗"} ${line}`);
  return checks.every(([right]) => right);
}

/** Looks until there is something; null when that takes too long. */
export async function until<T>(look: () => Promise<T | null>): Promise<T | null> {
  for (const endAt = Date.now() + PATIENCE_MS; Date.now() < endAt; ) {
    const found = await look();
    if (found !== null) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return null;
}
