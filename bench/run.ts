import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { actors } from "./benches/actors/index.ts";
import { dataRead } from "./benches/data-read.ts";
import { gateway } from "./benches/gateway.ts";
import { ledger } from "./benches/ledger.ts";
import { mcpCall } from "./benches/mcp-call.ts";
import { memory } from "./benches/memory.ts";
import { realtime } from "./benches/realtime/index.ts";
import { start } from "./benches/start.ts";
import type { Bench } from "./harness/bench.ts";
import { describeMachine, loadAverage } from "./harness/machine.ts";
import { TABLE_HEAD, tableRow, toMeasure } from "./harness/report.ts";

/**
 * `npm run bench -- <name> [--json] [--profile <directory>] [--set <name>=<value>]…`: runs one bench, `all` runs every one, no name lists them.
 * `--json` prints one object per measure on standard output and nothing else. Ends with 1 when a bench could not
 * measure; a target that is missed is said in the measure and changes nothing else.
 */
const BENCHES: readonly Bench[] = [start, memory, dataRead, mcpCall, realtime, actors, ledger, gateway];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    profile: { type: "string" },
    set: { type: "string", multiple: true, default: [] },
  },
});
const name = positionals[0];
const print = (line: string) => process.stdout.write(`${line}\n`);
const note = (line: string) => process.stderr.write(`  ${line}\n`);

let running: AsyncDisposableStack | undefined;
let interrupted = false;
/** Ends early without leaving anything behind. */
const interrupt = async (reason: unknown): Promise<void> => {
  if (interrupted) return;
  interrupted = true;
  note(`${reason}: stopping what was started`);
  await running?.disposeAsync();
  process.exit(1);
};
for (const event of ["SIGINT", "SIGTERM", "uncaughtException"]) process.on(event, interrupt);

if (name === undefined) {
  print("npm run bench -- <name> [--json] [--profile <directory>] [--set <name>=<value>]…\n");
  for (const bench of BENCHES) print(`  ${bench.name.padEnd(12)} ${bench.summary}`);
  print(`  ${"all".padEnd(12)} every one of them`);
} else {
  const chosen = name === "all" ? BENCHES : BENCHES.filter((bench) => bench.name === name);
  if (chosen.length === 0) {
    note(`There is no bench ${name}. npm run bench lists them.`);
    process.exit(1);
  }
  if (!values.json) print(TABLE_HEAD);
  for (const bench of chosen) if (!interrupted) await runOne(bench);
}

function splitAtEquals(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new Error(`--set takes <name>=<value>, not ${text}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function runOne(bench: Bench): Promise<void> {
  const load = loadAverage();
  const profileDir = values.profile === undefined ? undefined : resolve(values.profile);
  if (profileDir !== undefined) mkdirSync(profileDir, { recursive: true });
  const conditions = new Set<string>();
  let machine = "";
  await using resources = new AsyncDisposableStack();
  running = resources;
  try {
    await bench.run({
      resources,
      profileDir,
      settings: new Map(values.set.map((text) => splitAtEquals(text))),
      note: (text) => note(`${bench.name}: ${text}`),
      report(finding, server) {
        machine = describeMachine(server, load);
        const measure = toMeasure(finding, machine);
        print(values.json ? JSON.stringify(measure) : tableRow(measure));
        conditions.add(finding.conditions);
      },
    });
    if (!values.json) for (const text of [...conditions, machine]) print(`    ${text}`);
  } catch (error) {
    if (interrupted) return;
    note(`${bench.name} could not measure: ${error instanceof Error ? error.stack : error}`);
    process.exitCode = 1;
  }
}
