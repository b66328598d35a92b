import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import type { Server } from "../support/server.ts";

const AMBIT = fileURLToPath(new URL("../../packages/cli/bin/ambit.js", import.meta.url));
const SUBSTRATE = "/v1/me/substrate";

/** An organisation of the server under test, and the person who owns it. */
export interface Organization {
  readonly id: string;
  readonly key: string;
  readonly keyId: string;
  readonly accountId: string;
  readonly owner: Api;
}

/** The organisation the server made at its first start. */
export async function firstOrganization(server: Server): Promise<Organization> {
  return organizationOf(server, server.apiKey);
}

/** Another one, with the same owner. */
export async function newOrganization(server: Server, name: string): Promise<Organization> {
  const owner = apiAs(server.apiUrl, server.apiKey);
  return organizationOf(server, must(await owner("POST", "/v1/organizations", { name })).key);
}

async function organizationOf(server: Server, key: string): Promise<Organization> {
  const owner = apiAs(server.apiUrl, key);
  const { id } = must(await owner("GET", "/v1/organizations")).organizations[0];
  const { members } = must(await owner("GET", `/v1/organizations/${id}`));
  const keys = must(await owner("GET", "/api-keys?scope=me")).keys;
  const own = keys.find(({ key_prefix }: any) => key.startsWith(key_prefix));
  return { id, key, keyId: own.id, accountId: members[0].account_id, owner };
}

/** Proposes an action; its answer, whatever it is. */
export const propose = (api: Api, capability: string, payload: object, more: object = {}) =>
  api("POST", `${SUBSTRATE}/actions/propose`, { capability, payload, ...more });

/** The same, which must go well. */
export const proposed = async (...args: Parameters<typeof propose>): Promise<any> =>
  must(await propose(...args));

/** What `ambit …` in a process of its own printed, and its exit code. Nothing of this process's environment goes along. */
export async function ambit(args: readonly string[], env: Record<string, string> = {}, input = "") {
  const child = spawn(process.execPath, [AMBIT, ...args], {
    env: { PATH: process.env.PATH, AMBIT_DATA_DIR: "/nowhere", ...env },
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, stdout, stderr };
}

/** Someone who trusts nobody here: has the public key and the checkpoints that were kept, and an export now and then. */
export class Witness {
  readonly #directory: string;
  readonly #publicKey: string;
  #files = 0;

  constructor(directory: string, publicKey: string) {
    this.#directory = directory;
    this.#publicKey = publicKey;
  }

  async keep(name: string, text: string): Promise<string> {
    const path = join(this.#directory, name);
    await writeFile(path, text);
    return path;
  }

  /** What `ambit ledger verify` says about an export, with checkpoints that were kept: its lines, and its exit code. */
  async verify(
    text: string,
    kept: readonly string[] = [],
  ): Promise<{ lines: string[]; code: number | null }> {
    const file = await this.keep(`export-${this.#files++}.jsonl`, text);
    const notes = await Promise.all(kept.map((note) => this.keep(`kept-${this.#files++}.note`, note)));
    const flags = notes.flatMap((path) => ["--checkpoint", path]);
    const told = await ambit(["ledger", "verify", file, "--public-key", this.#publicKey, ...flags]);
    if (told.stderr !== "") throw new Error(told.stderr);
    return { lines: told.stdout.trim().split("\n"), code: told.code };
  }
}

/** An organisation's export, as it comes. */
export async function exportOf(server: Server, { key }: Organization): Promise<string> {
  const headers = { authorization: `Bearer ${key}` };
  const response = await fetch(`${server.apiUrl}/v1/ledger/export`, { headers });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status}: ${text}`);
  return text;
}

/** Where the built-in Postgres of a data directory listens. */
export function socketOf(dataDir: string): { host: string; port: number } {
  const lines = readFileSync(join(dataDir, "postgres", "postmaster.pid"), "utf8").split("\n");
  return { host: lines[4]!, port: Number(lines[3]) };
}

/** A connection to it as this role, past Ambit: whoever can enter the socket's directory is trusted. */
export async function connectAs(dataDir: string, user: string, database = "ambit"): Promise<pg.Client> {
  const client = new pg.Client({ ...socketOf(dataDir), user, database });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** A value of a server's metrics; null when there is none of that name. */
export async function metric(server: Server, name: string): Promise<number | null> {
  const text: string = must(await apiAs(server.apiUrl, server.apiKey)("GET", "/metrics"));
  const found = new RegExp(`^${name} (.*)$`, "m").exec(text);
  return found === null ? null : Number(found[1]);
}
