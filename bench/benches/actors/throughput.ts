import type { RunningAmbit } from "../../harness/ambit.ts";
import type { Api } from "../../harness/api.ts";
import type { BenchContext, Target } from "../../harness/bench.ts";
import { alternate, describeRounds, type Rounds } from "../../load/alternate.ts";
import { type Generator, startGenerator } from "../../load/generator.ts";
import { type BareWorkerd, startBareActor, startBareFunction } from "./bare.ts";
import { COUNTER, FUNCTION, TALKER, WRITER } from "./programs.ts";

const HOST = "127.0.0.1";
const CONNECTIONS = 32;
const INSTANCES = 8;
const ROUNDS: Rounds = { rounds: 11, windowMs: 1_000, warmUpMs: 3_000 };

/** What is compared: one kind of request, on both sides. */
interface Comparison {
  readonly what: string;
  /** Path through Ambit and on the bare side. */
  readonly paths: readonly [ambit: string, bare: string];
  readonly bare: BareWorkerd;
  readonly least?: number;
  readonly conditions: string;
}

/** Requests per second of actors and functions through Ambit, by those of a bare workerd. */
export async function compareThroughput(
  context: BenchContext,
  ambit: RunningAmbit,
  app: { readonly id: string; readonly api: Api },
  version: string,
): Promise<void> {
  const { resources } = context;
  const actor = (
    what: string,
    name: string,
    bare: BareWorkerd,
    least: number,
    conditions: string,
  ): Comparison => ({
    what,
    paths: [`/v1/${app.id}/do/${name}/room`, `/_do/${name}/room`],
    bare,
    least,
    conditions: `${conditions}; ${INSTANCES} instances; baseline: the class on a bare workerd behind the plainest router`,
  });
  const call = "a function that answers with a constant";
  const functionPaths = [`/v1/${app.id}/fn/hello`, "/fn/hello"] as const;
  await app.api("PUT", `/v1/${app.id}/runtime/logs`, { enabled: false });
  for (const [name, code] of [
    ["counter", COUNTER],
    ["writer", WRITER],
  ]) {
    await app.api("POST", `/v1/${app.id}/durable-objects`, { name, code, access_mode: "public" });
  }
  const trigger = { type: "http", config: { auth: "none" } };
  await app.api("POST", `/v1/${app.id}/functions`, { name: "hello", code: FUNCTION, trigger });
  const quiet: Comparison[] = [
    actor(
      "memory",
      "counter",
      await startBareActor(resources, COUNTER),
      0.85,
      "an actor that counts in memory, logs off",
    ),
    actor(
      "write",
      "writer",
      await startBareActor(resources, WRITER),
      0.85,
      "an actor that stores a value before it answers, logs off",
    ),
    {
      what: "function",
      paths: functionPaths,
      bare: await startBareFunction(resources, FUNCTION, true),
      least: 0.9,
      conditions: `${call}, logs off; baseline: the function on a bare workerd behind a router that finds it by name`,
    },
    {
      what: "function_alone",
      paths: functionPaths,
      bare: await startBareFunction(resources, FUNCTION, false),
      conditions: `${call}, logs off; baseline: the function alone on the port of a bare workerd`,
    },
  ];
  for (const comparison of quiet) await compare(context, ambit, comparison, version);
  await app.api("PUT", `/v1/${app.id}/runtime/logs`, { enabled: true });
  await app.api("POST", `/v1/${app.id}/durable-objects`, {
    name: "talker",
    code: TALKER,
    access_mode: "public",
  });
  const logged = "logs on";
  for (const comparison of [
    actor("memory_logs_on", "counter", quiet[0]!.bare, 0.65, `an actor that counts in memory, ${logged}`),
    actor(
      "talking",
      "talker",
      await startBareActor(resources, TALKER),
      0.65,
      `an actor that writes a log line at every request, ${logged}`,
    ),
    {
      ...quiet[2]!,
      what: "function_logs_on",
      least: 0.65,
      conditions: quiet[2]!.conditions.replace("logs off", logged),
    },
  ])
    await compare(context, ambit, comparison, version);
}

async function compare(
  context: BenchContext,
  ambit: RunningAmbit,
  { what, paths, bare, least, conditions }: Comparison,
  version: string,
): Promise<void> {
  await using resources = new AsyncDisposableStack();
  context.resources.defer(() => resources.disposeAsync());
  const ours = await generators(resources, ambit.port, paths[0]);
  const theirs = await generators(resources, bare.port, paths[1]);
  const seen = await alternate(ours, theirs, ROUNDS, (round, a, b) =>
    context.note(
      `${what} ${round}/${ROUNDS.rounds}: ${a.perSecond.toFixed(0)}/s, p50 ${a.p50Ms.toFixed(2)} ms; ` +
        `bare ${b.perSecond.toFixed(0)}/s, p50 ${b.p50Ms.toFixed(2)} ms`,
    ),
  );
  const target: Target | undefined =
    least === undefined ? undefined : { of: "ratio", bound: "≥", number: least };
  context.report(
    {
      measure: `actors.${what}`,
      value: seen.a("perSecond"),
      baseline: seen.b("perSecond"),
      ratio: seen.ratio("perSecond"),
      unit: "requests/s",
      target,
      conditions:
        `${CONNECTIONS} connections, one request under way on each; ${conditions}; ${describeRounds(ROUNDS)}; ` +
        "load generator, Ambit and workerd share the machine",
    },
    version,
  );
}

/** Connections that are spread over the instances of a class; a function gets them all. */
function generators(resources: AsyncDisposableStack, port: number, path: string): Promise<Generator> {
  const instances = path.endsWith("/room") ? INSTANCES : 1;
  const request = (index: number) =>
    [`GET ${path}${instances > 1 ? index : ""} HTTP/1.1`, `Host: ${HOST}:${port}`, "", ""].join("\r\n");
  const requests: [string, ...string[]] = [request(0)];
  for (let index = 1; index < instances; index += 1) requests.push(request(index));
  return startGenerator(resources, { kind: "http", host: HOST, port, requests, connections: CONNECTIONS });
}
