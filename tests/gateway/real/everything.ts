import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { eventually } from "../../support/actors.ts";
import { installed } from "../../support/gateway.ts";
import { outcome, type Peer } from "./peer.ts";
import type { Wire } from "./transcript.ts";

/** A server's process, on a port of its own. */
export interface RunningServer {
  readonly port: number;
  /** What its clients connect to, and where the gateway is told it is. */
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const PATHS = { streamableHttp: "/mcp", sse: "/sse" };

/** Starts it; also again on a port it had before. */
export async function startEverything(mode: keyof typeof PATHS, port: number): Promise<RunningServer> {
  return startHttp(installed("server-everything", [mode]), port, PATHS[mode]);
}

/** Starts a program that says on standard error when it listens. */
export async function startHttp(
  { command, args }: { command: string; args: string[] },
  port: number,
  path: string,
): Promise<RunningServer> {
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH, PORT: String(port), LANG: "C.UTF-8" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(`the server ended: ${said}`);
    return /listening on port|running on port/.test(said);
  }, "a server that listens");
  return {
    ...{ port, url: `http://127.0.0.1:${port}${path}`, pid: child.pid! },
    stop: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

const DATA_URI = "data:text/plain;base64,aGVsbG8gaGVsbG8gaGVsbG8=";

/** Sample calls of the tools that ask nothing of the client; those that must fail too. */
const CALLS: readonly (readonly [string, Record<string, unknown>])[] = [
  ["echo", { message: "grüß dich, 世界 \u{1f30d}\u{1f468}\u200d\u{1f469} \u0000\u2028\ufeff" }],
  ["echo", { message: "line one\nline two\r\n\tdata: not an event\n\nid: 7\n\n" }],
  ["echo", { message: "" }],
  ["get-annotated-message", { messageType: "error", includeImage: true }],
  ["get-annotated-message", { messageType: "debug" }],
  ["get-resource-links", { count: 4 }],
  ["get-resource-reference", { resourceType: "Blob", resourceId: 12 }],
  ["get-structured-content", { location: "Chicago" }],
  ["get-sum", { a: 0.1, b: 0.2 }],
  ["get-sum", { a: 9007199254740991, b: -0 }],
  ["get-tiny-image", {}],
  ["echo", { message: 5 }],
  ["echo", {}],
  ["get-sum", { a: "1", b: 2 }],
  ["get-structured-content", { location: "Paris" }],
  ["get-resource-reference", { resourceType: "Text", resourceId: -1 }],
];

const READS = [
  "demo://resource/static/document/features.md",
  "demo://resource/dynamic/text/5",
  "demo://resource/dynamic/blob/6",
  "demo://resource/dynamic/text/none",
  "nothing://here",
];

/** What every client does, of either era; what came of each step. */
export async function asksEverything(peer: Peer, label: string): Promise<Record<string, Wire>> {
  const { client } = peer;
  const steps: Record<string, Wire> = {};
  const step = async (name: string, asked: Promise<Wire>) => {
    steps[`${Object.keys(steps).length} ${name}`] = await outcome(asked);
  };
  await step("tools", client.listTools());
  await step("tools as they came", peer.request("tools/list"));
  await step("a cursor nobody gave", client.listResources({ cursor: "none" }));
  await step("resources", client.listResources());
  await step("templates", client.listResourceTemplates());
  for (const uri of READS) await step(uri, client.readResource({ uri }));
  await step("prompts", client.listPrompts());
  await step("simple-prompt", client.getPrompt({ name: "simple-prompt" }));
  const city = { city: "Kōbe", state: "" };
  await step("args-prompt", client.getPrompt({ name: "args-prompt", arguments: city }));
  const reference = { resourceType: "Blob", resourceId: "3" };
  await step("resource-prompt", client.getPrompt({ name: "resource-prompt", arguments: reference }));
  await step("a prompt's argument is missing", client.getPrompt({ name: "args-prompt", arguments: {} }));
  await step("no such prompt", client.getPrompt({ name: "none" }));
  const prompt = { type: "ref/prompt", name: "completable-prompt" };
  const name = { name: "name", value: "" };
  await step("completion", client.complete({ ref: prompt, argument: { name: "department", value: "S" } }));
  const context = { arguments: { department: "Sales" } };
  await step("completion in context", client.complete({ ref: prompt, argument: name, context }));
  const template = { type: "ref/resource", uri: "demo://resource/dynamic/text/{resourceId}" };
  await step(
    "completion of a template",
    client.complete({ ref: template, argument: { name: "resourceId", value: "4" } }),
  );
  await step("completion of nothing", client.complete({ ref: { ...prompt, name: "none" }, argument: name }));
  const file = { name: `${label}-one.gz`, data: DATA_URI, outputType: "resource" };
  await step("a file", peer.call("gzip-file-as-resource", file));
  for (const [tool, args] of CALLS) await step(tool, peer.call(tool, args));
  await step(
    "with _meta",
    peer.request("tools/call", { ...echo, _meta: { "example.com/trace": ["a", { b: 1 }] } }),
  );
  await step("no arguments", peer.request("tools/call", { name: "get-tiny-image" }));
  const long = { duration: 0.2, steps: 4 };
  await step("progress", peer.call("trigger-long-running-operation", long, { onprogress: () => {} }));
  return steps;
}

const echo = { name: "echo", arguments: { message: "echo" } };
const RESOURCE = "demo://resource/static/document/startup.md";

/** What only a session has: subscriptions, levels of logging, questions of the server's, lists that change. */
export async function livesInSession(peer: Peer, label: string): Promise<Record<string, Wire>> {
  const { client } = peer;
  const steps: Record<string, Wire> = {};
  const step = async (name: string, asked: Promise<Wire>) => {
    steps[name] = await outcome(asked);
  };
  // The server asks for the roots a moment after the session began, and says so.
  await peer.heard("notifications/message");
  await step("roots", peer.call("get-roots-list"));
  await step("ping", client.ping());
  await step("no such method", peer.request("no/such/method", { some: "thing" }));
  await step("subscribe", client.subscribeResource({ uri: RESOURCE }));
  await peer.heard("notifications/message", 2);
  await step("updates on", peer.call("toggle-subscriber-updates"));
  await peer.heard("notifications/resources/updated");
  await step("updates off", peer.call("toggle-subscriber-updates"));
  await step("unsubscribe", client.unsubscribeResource({ uri: RESOURCE }));
  await peer.heard("notifications/message", 3);
  await step("logging on", peer.call("toggle-simulated-logging"));
  await peer.heard("notifications/message", 4);
  await step("logging off", peer.call("toggle-simulated-logging"));
  await step("a level", client.setLoggingLevel("error"));
  await step("quieter", client.subscribeResource({ uri: RESOURCE }));
  await step("no such level", peer.request("logging/setLevel", { level: "loud" }));
  await step("a form", peer.call("trigger-elicitation-request"));
  const url = "https://example.com/sign-in";
  await step("a page", peer.call("trigger-url-elicitation", { url, elicitationId: `${label}-1` }));
  const failing = { url, elicitationId: `${label}-2`, errorPath: true };
  await step("a page, as an error", peer.call("trigger-url-elicitation", failing));
  await step("a model", peer.call("trigger-sampling-request", { prompt: "hi", maxTokens: 7 }));
  const file = { name: `${label}.gz`, data: DATA_URI };
  await step("a new resource", peer.call("gzip-file-as-resource", file));
  await peer.heard("notifications/resources/list_changed");
  await step("its list", client.listResources());
  await step("itself", client.readResource({ uri: `demo://resource/session/${label}.gz` }));
  await peer.notify("notifications/roots/list_changed");
  // That message is of the level info, which is not wanted any more; the question comes all the same.
  await peer.heard("roots/list", 2);
  return steps;
}
