import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Nodes } from "../support/functions.ts";
import { ALLOW_ALL, addGrant, addServer, installed, startGateway } from "../support/gateway.ts";
import { connect, outcome, type Sdk, type Way } from "./real/peer.ts";
import { relayTo } from "./real/relay.ts";
import { normal, transcriptOf, type Wire } from "./real/transcript.ts";

interface Program {
  readonly command: string;
  readonly args: string[];
  readonly env?: Record<string, string>;
}
type Calls = readonly (readonly [string, Record<string, unknown>])[];

let nodes: Nodes;
let shared: string;
let admin: pg.Client;
let relay: Awaited<ReturnType<typeof relayTo>>;
const database = `real_${randomBytes(6).toString("hex")}`;

beforeAll(async () => {
  nodes = await startGateway(inject("postgres"));
  // Its programs run as other users.
  shared = mkdtempSync(join(tmpdir(), "ambit-real-"));
  chmodSync(shared, 0o755);
  const postgres = inject("postgres");
  relay = await relayTo(join(postgres.host, `.s.PGSQL.${postgres.port}`));
  admin = new pg.Client({ ...postgres, database: "postgres" });
  await admin.connect();
  await admin.query(`create database ${database}`);
  const made = new pg.Client({ ...postgres, database });
  await made.connect();
  await made.query("create table cities (id int primary key, name text, seen timestamptz)");
  await made.query("insert into cities values (1, 'Kōbe', '2026-01-02 03:04:05Z'), (2, null, null)");
  await made.end();
});
afterAll(async () => {
  await nodes?.close();
  await relay?.close();
  await admin?.query(`drop database if exists ${database} with (force)`);
  await admin?.end();
  await rm(shared, { recursive: true, force: true });
});

const UPDATED = "notifications/resources/updated";

/** Asks for everything the server has, and makes the calls; what came of each. Waits for so many updates in the end. */
async function talk(way: Way, sdk: Sdk, inSession: boolean, calls: Calls, updates: number) {
  const peer = await connect(way, sdk, { answers: false });
  const { client } = peer;
  const steps: Wire[] = [await outcome(peer.request("tools/list"))];
  if (client.getServerCapabilities().resources !== undefined) {
    const listed = await outcome(client.listResources());
    steps.push(listed);
    for (const { uri } of listed.result.resources) {
      steps.push(await outcome(client.readResource({ uri })));
      if (inSession) steps.push(await outcome(client.subscribeResource({ uri })));
    }
  }
  for (const [name, args] of calls) steps.push(await outcome(peer.call(name, args)));
  await peer.heard(UPDATED, updates);
  await peer.close();
  const transcript = transcriptOf(peer.recording);
  return { steps, transcript, updates: transcript.notifications[UPDATED]?.length ?? 0 };
}

/** Each conversation has a directory of its own; they look the same from inside. */
async function compare(server: (place: string) => Program, sdk: Sdk, calls: (place: string) => Calls) {
  const seen = [];
  const inSession = sdk !== "v2 stateless";
  let expected = 0;
  for (const through of [false, true]) {
    const place = join(shared, randomBytes(6).toString("hex"));
    mkdirSync(place);
    chmodSync(place, 0o777);
    const program = server(place);
    let way: Way = { kind: "stdio", ...program };
    if (through) {
      const { server_id } = await addServer(nodes.owner, { transport: "stdio", ...program });
      way = { kind: "http", ...(await addGrant(nodes.owner, server_id, ALLOW_ALL)) };
    }
    const used = !through && !inSession ? "v2" : sdk;
    const { steps, transcript, updates } = await talk(way, used, inSession, calls(place), expected);
    if (inSession) expected = updates;
    seen.push(normal({ steps: steps.map(asInSession), transcript }, [place]));
  }
  const [direct, through] = seen;
  expect(through!.steps).toEqual(direct!.steps);
  if (inSession) expect(JSON.stringify(through)).toBe(JSON.stringify(direct));
  return { steps: direct!.steps, updates: expected };
}

function asInSession(step: Wire): Wire {
  if (step.result === undefined) return step;
  const { ttlMs: _ttl, cacheScope: _scope, ...result } = step.result;
  return { result };
}

const PNG = Buffer.from("89504e470d0a1a0a00ff00fe01", "hex");
/** One line of more than a million characters, of two and four bytes. */
const LONG = "жé\u{1f30d}x".repeat(250_000);
const EACH = ["v1", "v2", "v2 stateless"] as const;

describe.each(EACH)("with SDK %s the same as without the gateway:", (sdk) => {
  it("server-filesystem", async () => {
    const { steps } = await compare(
      (place) => {
        writeFileSync(join(place, "picture.png"), PNG);
        writeFileSync(join(place, "long.txt"), LONG);
        return installed("server-filesystem", [place]);
      },
      sdk,
      (place) => {
        const path = join(place, "ünïcode ☃.txt");
        return [
          ["write_file", { path, content: "one\r\ntwo\u2028three\n" }],
          ["write_file", { path: join(place, "big.txt"), content: LONG }],
          ["read_text_file", { path }],
          ["read_text_file", { path: join(place, "long.txt") }],
          ["read_text_file", { path: join(place, "big.txt") }],
          ["read_text_file", { path, head: 1 }],
          ["read_media_file", { path: join(place, "picture.png") }],
          ["read_multiple_files", { paths: [path, join(place, "none")] }],
          ["edit_file", { path, edits: [{ oldText: "two", newText: "2" }], dryRun: true }],
          ["edit_file", { path, edits: [{ oldText: "one", newText: "1" }] }],
          ["create_directory", { path: join(place, "inner/more") }],
          ["move_file", { source: path, destination: join(place, "inner/moved.txt") }],
          ["list_directory", { path: place }],
          ["list_directory_with_sizes", { path: place, sortBy: "size" }],
          ["directory_tree", { path: place }],
          ["search_files", { path: place, pattern: "**/*.txt" }],
          ["list_allowed_directories", {}],
          ["read_text_file", { path: "/etc/passwd" }],
          ["read_text_file", { path: join(place, "../../etc/passwd") }],
          ["read_text_file", {}],
          ["move_file", { source: path, destination: path }],
        ];
      },
    );
    const text = steps[4]!.result.content[0].text;
    expect(text).toBe(LONG);
  });

  it("server-memory", async () => {
    const { steps, updates } = await compare(
      (place) => ({ ...installed("server-memory"), env: { MEMORY_FILE_PATH: join(place, "graph.jsonl") } }),
      sdk,
      () => [
        [
          "create_entities",
          { entities: [{ name: "Ada", entityType: "person", observations: ["writes"] }, BABBAGE] },
        ],
        ["create_relations", { relations: [{ from: "Ada", to: BABBAGE.name, relationType: "knows" }] }],
        ["add_observations", { observations: [{ entityName: "Ada", contents: ["☃", "writes"] }] }],
        ["add_observations", { observations: [{ entityName: "Nobody", contents: ["x"] }] }],
        ["search_nodes", { query: "☃" }],
        ["open_nodes", { names: ["Ada"] }],
        ["delete_relations", { relations: [{ from: "Ada", to: BABBAGE.name, relationType: "knows" }] }],
        ["delete_entities", { entityNames: [BABBAGE.name] }],
        ["read_graph", {}],
        ["create_entities", { entities: "none" }],
      ],
    );
    expect(JSON.stringify(steps.at(-2))).toContain("☃");
    if (sdk !== "v2 stateless") expect(updates).toBeGreaterThan(3);
  });

  it("server-sequential-thinking", async () => {
    const thought = { thought: "first", thoughtNumber: 1, totalThoughts: 2, nextThoughtNeeded: true };
    const { steps } = await compare(
      () => installed("server-sequential-thinking"),
      sdk,
      () => [
        ["sequentialthinking", thought],
        ["sequentialthinking", { ...thought, thoughtNumber: 2, isRevision: true, revisesThought: 1 }],
        ["sequentialthinking", { ...thought, thoughtNumber: 5, branchFromThought: 1, branchId: "ß" }],
        ["sequentialthinking", { thought: 5 }],
      ],
    );
    expect(JSON.stringify(steps)).toMatch(/thoughtHistoryLength\W+3/);
  });

  it("server-postgres", async () => {
    const url = `postgresql://${inject("postgres").user}@127.0.0.1:${relay.port}/${database}`;
    const { steps } = await compare(
      () => installed("server-postgres", [url]),
      sdk,
      () => [
        ["query", { sql: "select * from cities order by id" }],
        [
          "query",
          { sql: "select repeat('ж', 1000000) as long, 1e308::float8, 'NaN'::float8, null as nothing" },
        ],
        ["query", { sql: "delete from cities" }],
        ["query", { sql: "select no such thing" }],
        ["query", {}],
        ["query", { sql: "select count(*) from cities" }],
      ],
    );
    expect(JSON.stringify(steps)).toContain("cities");
    expect(JSON.stringify(steps.at(-1))).toMatch(/count\W+2/);
  });
});

const BABBAGE = { name: "Babbage", entityType: "person", observations: [] };
