import type { Played } from "./play.ts";

/** How the attacks went, for people. */
export function tableOf(all: readonly Played[]): string {
  const width = Math.max(...all.map(({ name }) => name.length));
  const lines = all.map((played) => lineOf(played, width));
  const stopped = all.filter(({ problems }) => problems.length === 0).length;
  const head = `  ${"attack".padEnd(width)}  without  with  stopped by`;
  return `${[head, ...lines].join("\n")}\n\n${stopped} of ${all.length} attacks do harm without Ambit and none behind it.\n`;
}

function lineOf({ name, without, with: harm, stoppedBy, decision, problems }: Played, width: number): string {
  const said = (done: boolean) => (done ? "harm" : "none");
  const log = decision === null ? "not in the log" : `log: ${`${decision.outcome} ${decision.rule}`.trim()}`;
  const mark = problems.length === 0 ? "✓" : "✗";
  const line = `${mark} ${name.padEnd(width)}  ${said(without).padEnd(7)}  ${said(harm).padEnd(4)}  ${stoppedBy} (${log})`;
  return [line, ...problems.map((problem) => `    ${problem}`)].join("\n");
}
