import { newDataDir, type RunningAmbit, startAmbit } from "../harness/ambit.ts";
import { apiOf } from "../harness/api.ts";
import type { Bench, BenchContext, Target } from "../harness/bench.ts";
import { startChild } from "../harness/child.ts";
import { postgresVersion } from "../harness/postgres.ts";
import { alternate, describeRounds, ROUNDS } from "../load/alternate.ts";
import { startGenerator } from "../load/generator.ts";
import type { Window } from "../load/plan.ts";
import type { EchoCommands } from "./echo-server.ts";
import { mcpRequest, REVISION } from "./mcp-request.ts";

const ECHO_SERVER = new URL("echo-server.ts", import.meta.url);
const HOST = "127.0.0.1";
const LEAST_RATIO = 0.5;
const MOST_P50_MS = 1.5;

/** What a tool call costs in Ambit (key, access, validation, database) over a server that only gives back a text. */
export const mcpCall: Bench = {
  name: "mcp-call",
  summary: "manage_app list over MCP against an echo tool on the same SDK, 1 and 16 at a time",
  async run(context) {
    const { resources, profileDir } = context;
    const dataDir = newDataDir(resources);
    const profiling = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
    const ambit = await startAmbit(resources, dataDir, profiling);
    await apiOf(ambit, ambit.apiKey)("POST", "/init", { name: "bench" });
    const echoPort = await startChild<EchoCommands>(resources, ECHO_SERVER).call("listen", HOST);
    const version = await postgresVersion(dataDir);
    for (const connections of [1, 16]) await compare(context, ambit, echoPort, version, connections);
  },
};

async function compare(
  { resources, report, note }: BenchContext,
  ambit: RunningAmbit,
  echoPort: number,
  version: string,
  connections: number,
): Promise<void> {
  const list = { name: "manage_app", arguments: { action: "list" } };
  const echo = { name: "echo", arguments: { text: "hello" } };
  const generator = (port: number, request: string) =>
    startGenerator(resources, { kind: "http", host: HOST, port, requests: [request], connections });
  const ours = await generator(ambit.port, mcpRequest(HOST, ambit.port, list, ambit.agentKey));
  const theirs = await generator(echoPort, mcpRequest(HOST, echoPort, echo));
  if (JSON.parse(ours.sample).result?.structuredContent?.apps?.length !== 1) {
    throw new Error(`manage_app list did not list the app: ${ours.sample}`);
  }
  if (JSON.parse(theirs.sample).result?.content?.[0]?.text !== "hello") {
    throw new Error(`the echo server did not echo: ${theirs.sample}`);
  }
  const compared = await alternate(ours, theirs, ROUNDS, (round, mine, echoed) =>
    note(
      `${connections} at a time, ${round}/${ROUNDS.rounds}: ${mine.perSecond.toFixed(0)}/s, p50 ${mine.p50Ms.toFixed(2)} ms; ` +
        `echo ${echoed.perSecond.toFixed(0)}/s, p50 ${echoed.p50Ms.toFixed(2)} ms`,
    ),
  );
  const conditions =
    `${connections} connection${connections === 1 ? "" : "s"}, one call under way on each, revision ${REVISION}, one app listed; ` +
    `baseline: one echo tool on createMcpHandler and node:http, no key, no database; ${describeRounds(ROUNDS)}; ` +
    "load generator, server and Postgres share the machine on both sides";
  const measure = (quantity: keyof Window, what: string, unit: string, target?: Target) => {
    const [value, baseline, ratio] = [compared.a(quantity), compared.b(quantity), compared.ratio(quantity)];
    const name = `mcp-call.${what}.c${connections}`;
    report({ measure: name, value, baseline, ratio, unit, target, conditions }, version);
  };
  measure("perSecond", "per_second", "calls/s", { of: "ratio", bound: "≥", number: LEAST_RATIO });
  const fast: Target = { of: "value", bound: "≤", number: MOST_P50_MS };
  measure("p50Ms", "p50", "ms", connections === 1 ? fast : undefined);
}
