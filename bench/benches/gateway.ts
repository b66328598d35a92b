import { newDataDir, startAmbit } from "../harness/ambit.ts";
import { apiOf } from "../harness/api.ts";
import type { Bench, BenchContext, Target } from "../harness/bench.ts";
import { startChild } from "../harness/child.ts";
import { postgresAddress, postgresVersion } from "../harness/postgres.ts";
import { alternate, describeRounds, ROUNDS } from "../load/alternate.ts";
import { startGenerator } from "../load/generator.ts";
import type { HopCommands } from "./bare-hop.ts";
import type { EchoCommands } from "./echo-server.ts";
import { measureDecisions } from "./gateway-decisions.ts";
import { measureLog } from "./gateway-log.ts";
import { mcpRequest, REVISION } from "./mcp-request.ts";

const BARE_HOP = new URL("bare-hop.ts", import.meta.url);
const ECHO_SERVER = new URL("echo-server.ts", import.meta.url);
const HOST = "127.0.0.1";

/** What the judge looks at in each of the compared calls. */
const PREDICATES = {
  require: [{ conditions: [{ path: "args.text", op: "exists", value: true }] }],
  deny_if: [
    { conditions: [{ path: "args.text", op: "regex", value: "(?i)drop\\s+table" }], on_deny: "No." },
    { conditions: [{ path: "args.text", op: "contains", value: "secret" }] },
  ],
};
const LIMIT = { counter: "echo_rate", window: "minute", max: 1_000_000_000, scope: "grant" };

interface Side {
  readonly name: string;
  readonly tool: object;
  /** Most added at p50 with one call under way. */
  readonly addedMs: number;
}
const SIDES: readonly Side[] = [
  { name: "predicates", tool: PREDICATES, addedMs: 0.2 },
  { name: "limits", tool: { ...PREDICATES, limits: [LIMIT] }, addedMs: 0.4 },
];

/** What no gateway in a process of its own can do without, on this machine. */
const HOPS = [
  { name: "bare_hop", records: false, counts: false, does: "forwards each call on a kept connection" },
  {
    ...{ name: "recording_hop", records: true, counts: false },
    does: "forwards each call and meanwhile commits one row to the same Postgres",
  },
  {
    ...{ name: "counting_hop", records: true, counts: true },
    does: "raises a counter in Postgres, then forwards the call and meanwhile commits one row",
  },
] as const;

/** What it costs to have the gateway in front of a server: judged, counted, recorded. */
export const gateway: Bench = {
  name: "gateway",
  summary:
    "an echo tool behind the gateway against the same tool called directly; the judge; the decision log",
  async run(context) {
    await measureProxy(context);
    await measureDecisions(context);
    await measureLog(context);
  },
};

async function measureProxy({ resources, report, note, profileDir }: BenchContext): Promise<void> {
  const echoPort = await startChild<EchoCommands>(resources, ECHO_SERVER).call("listen", HOST);
  const dataDir = newDataDir(resources);
  const profiling = profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`];
  const ambit = await startAmbit(resources, dataDir, profiling, {
    AMBIT_ALLOW_PRIVATE_FETCH: `${HOST}:${echoPort}`,
  });
  const version = await postgresVersion(dataDir);
  const api = apiOf(ambit, ambit.apiKey);
  const { server_id } = await api("POST", "/v1/gateway/servers", {
    ...{ name: "echo", transport: "http", url: `http://${HOST}:${echoPort}/mcp` },
  });
  const call = { name: "echo", arguments: { text: "hello" } };
  const generator = async (port: number, request: string, connections: number) => {
    const made = await startGenerator(resources, {
      kind: "http",
      host: HOST,
      port,
      requests: [request],
      connections,
    });
    if (JSON.parse(made.sample).result?.content?.[0]?.text !== "hello") {
      throw new Error(`not an echo: ${made.sample}`);
    }
    return made;
  };
  for (const { name, does, ...asked } of HOPS) {
    const recordIn = asked.records ? { recordIn: postgresAddress(dataDir) } : {};
    const hop = startChild<HopCommands>(resources, BARE_HOP);
    const order = { host: HOST, upstreamPort: echoPort, countFirst: asked.counts, ...recordIn };
    const hopPort = await hop.call("listen", order);
    const bare = await generator(hopPort, mcpRequest(HOST, hopPort, call), 1);
    const direct = await generator(echoPort, mcpRequest(HOST, echoPort, call), 1);
    const compared = await alternate(bare, direct, ROUNDS, (round, mine, theirs) =>
      note(
        `${name}, ${round}/${ROUNDS.rounds}: p50 ${mine.p50Ms.toFixed(3)} ms; direct ${theirs.p50Ms.toFixed(3)} ms`,
      ),
    );
    report(
      {
        measure: `gateway.${name}_added_p50`,
        value: compared.difference("p50Ms"),
        unit: "ms",
        baseline: compared.b("p50Ms"),
        conditions: `one call under way; a process that ${does}, with node:http, undici and pg, and does nothing else: the floor for the added latency; ${describeRounds(ROUNDS)}`,
      },
      version,
    );
  }
  for (const { name, tool, addedMs } of SIDES) {
    const document = { version: "1", default: "deny", tools: { echo: tool } };
    const { policy_id } = await api("POST", `/v1/gateway/servers/${server_id}/policies`, { name, document });
    const { token } = await api("POST", `/v1/gateway/servers/${server_id}/grants`, {
      label: name,
      policy_id,
    });
    for (const connections of [1, 32]) {
      const through = mcpRequest(HOST, ambit.port, call, token, `/mcp/${server_id}/`);
      const ours = await generator(ambit.port, through, connections);
      const direct = await generator(echoPort, mcpRequest(HOST, echoPort, call), connections);
      const compared = await alternate(ours, direct, ROUNDS, (round, mine, theirs) =>
        note(
          `${name}, ${connections} at a time, ${round}/${ROUNDS.rounds}: ${mine.perSecond.toFixed(0)}/s, p50 ${mine.p50Ms.toFixed(3)} ms; ` +
            `direct ${theirs.perSecond.toFixed(0)}/s, p50 ${theirs.p50Ms.toFixed(3)} ms`,
        ),
      );
      const conditions =
        `${connections} connection${connections === 1 ? "" : "s"}, one call under way on each, revision ${REVISION}, ` +
        `${name === "limits" ? "three rules and one limit" : "three rules"}, each decision durable in the ledger before its answer; ` +
        `baseline: the same server without the gateway (an echo tool on createMcpHandler and node:http); ${describeRounds(ROUNDS)}; ` +
        "load generator, gateway, server and Postgres share the machine";
      const measure = (
        what: string,
        value: number,
        unit: string,
        baseline: number,
        target?: Target,
        ratio?: number,
      ) =>
        report(
          {
            measure: `gateway.${what}.${name}.c${connections}`,
            value,
            unit,
            baseline,
            target,
            ratio,
            conditions,
          },
          version,
        );
      if (connections === 1) {
        const target: Target = { of: "value", bound: "≤", number: addedMs };
        measure("added_p50", compared.difference("p50Ms"), "ms", compared.b("p50Ms"), target);
      } else {
        const target: Target = { of: "ratio", bound: "≥", number: 0.6 };
        const ratio = compared.ratio("perSecond");
        measure("per_second", compared.a("perSecond"), "calls/s", compared.b("perSecond"), target, ratio);
      }
      measure("p99", compared.a("p99Ms"), "ms", compared.b("p99Ms"));
    }
  }
}
