import { randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { createWorkerdEngine, type WorkerdEngineOptions } from "../../index.ts";
import type {
  Death,
  Exchange,
  Outcome,
  Program,
  ProgramKey,
  TailBatch,
  Target,
  UpgradeOptions,
  WorkerdEngine,
} from "../../types.ts";

export const ACTORS: ProgramKey = "app_test/actors";
export const FUNCTIONS: ProgramKey = "app_test/functions";

export interface LostProcess {
  readonly key: ProgramKey;
  readonly death: Death;
  readonly inFlight: readonly { requestId: string; unit: string }[];
}

/** An engine on a directory of its own, a door in front of it, and everything it reports. */
export interface Fixture {
  readonly engine: WorkerdEngine;
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** What `load` gives, by program. */
  readonly deployed: Map<ProgramKey, Program>;
  readonly deaths: LostProcess[];
  readonly outcomes: Outcome[];
  readonly batches: TailBatch[];
  cpuMs: number;
  loads: number;
  onCallback: (unit: string | null, request: IncomingMessage, response: ServerResponse) => void;
  upgradeOptions: UpgradeOptions;
  timeoutMs: number | null;
  /** Deploys under the program's own key; a running process keeps what it has until a swap. */
  deploy(program: Program): ProgramKey;
  get(path: string, init?: RequestInit): Promise<Response>;
  text(path: string, init?: RequestInit): Promise<string>;
  stop(): Promise<void>;
}

const all = new Set<Fixture>();

export async function stopFixtures(): Promise<void> {
  await Promise.all([...all].map((fixture) => fixture.stop()));
}

export async function openFixture(options: Partial<WorkerdEngineOptions> = {}): Promise<Fixture> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "ambit-engine-"));
  const deployed = new Map<ProgramKey, Program>();
  const engine = createWorkerdEngine({
    dataDir,
    log: pino({ level: process.env.TEST_LOG ?? "silent" }),
    clock: () => Date.now(),
    allowPrivateFetch: [],
    ports: {
      load: async (key) => {
        fixture.loads += 1;
        return deployed.get(key) ?? null;
      },
      callback: (_key, unit, request, response) => fixture.onCallback(unit, request, response),
      egress: () => ({ allow: null }),
      onTail: (_key, batch) => void fixture.batches.push(batch),
      onCpu: (_key, ms) => {
        fixture.cpuMs += ms;
      },
      onEgress: () => {},
      onDeath: (key, death, inFlight) => void fixture.deaths.push({ key, death, inFlight }),
    },
    ...options,
  });
  const server = openDoor(() => fixture);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const fixture: Fixture = {
    engine,
    url,
    port,
    dataDir,
    deployed,
    deaths: [],
    outcomes: [],
    batches: [],
    cpuMs: 0,
    loads: 0,
    onCallback: (_unit, _request, response) => void response.end("{}"),
    upgradeOptions: {},
    timeoutMs: 20_000,
    deploy(program) {
      const key: ProgramKey = `${program.appId}/${program.kind}`;
      deployed.set(key, program);
      return key;
    },
    get: (path, init) => fetch(url + path, init),
    text: async (path, init) => await (await fetch(url + path, init)).text(),
    async stop() {
      all.delete(fixture);
      await engine.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
  all.add(fixture);
  return fixture;
}

/** `/_do/…` goes to the app's classes, `/fn/<name>/…` to its functions; `/<app>` in front of it to another app's. */
function routeOf(url: string): { key: ProgramKey; target: Target; path: string } {
  const [, app = "app_test", path = url] = /^\/(app_[a-z0-9]+)(\/.*)$/.exec(url) ?? [];
  const unit = path.split("/")[2] ?? "";
  return path.startsWith("/fn/")
    ? { key: `${app}/functions`, target: { kind: "function", unit }, path }
    : { key: `${app}/actors`, target: { kind: "actor", unit }, path };
}

function openDoor(fixture: () => Fixture): http.Server {
  const exchangeOf = (request: IncomingMessage, path: string): Exchange => {
    const bodyless = request.headers["content-length"] === undefined && !request.headers["transfer-encoding"];
    return {
      requestId: randomUUID(),
      method: request.method ?? "GET",
      path,
      headers: request.rawHeaders,
      body: bodyless ? null : request,
      timeoutMs: fixture().timeoutMs,
    };
  };
  const server = http.createServer((request, response) => {
    const { key, target, path } = routeOf(request.url ?? "/");
    const { engine, outcomes } = fixture();
    void engine.forward(key, target, exchangeOf(request, path), response).then((o) => outcomes.push(o));
  });
  server.on("upgrade", (request, socket, head) => {
    const { key, target, path } = routeOf(request.url ?? "/");
    const { engine, outcomes, upgradeOptions } = fixture();
    const exchange = { ...exchangeOf(request, path), body: null };
    void engine.upgrade(key, target, exchange, socket, head, upgradeOptions).then((o) => outcomes.push(o));
  });
  return server;
}

/** Waits until it holds; how long that takes says nothing. */
export async function eventually(holds: () => boolean | Promise<boolean>, withinMs = 15_000): Promise<void> {
  const until = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error("It did not come true.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
