import { verifyExport } from "@ambit/ledger";
import WebSocket from "ws";
import type { Api } from "./api.ts";
import { apiAs } from "./api.ts";
import { must, newApp } from "./app.ts";

export const SUBSTRATE = "/v1/me/substrate";

/** A key of a member of an organisation, and what it may do. */
export interface Caller {
  readonly name: string;
  readonly key: string;
  readonly keyId: string;
  readonly account: string;
  readonly human: boolean;
  readonly role: "owner" | "admin" | "policy_manager" | "developer" | "viewer";
  /** The app the key is bound to. */
  readonly app: string | null;
  readonly api: Api;
}

/** An organisation with people of every role, agents of theirs, and an app that sees only what it wrote. */
export interface Staffed {
  readonly organizationId: string;
  readonly owner: Caller;
  readonly admin: Caller;
  readonly manager: Caller;
  readonly developer: Caller;
  readonly viewer: Caller;
  /** Agents of the owner, of the admin and of the developer; the admin's opens the substrate alone. */
  readonly agents: readonly Caller[];
  readonly appKey: Caller;
  readonly appId: string;
}

/** Makes one; `apiUrl` is asked at every call, so that the server may come back elsewhere. */
export async function newStaffed(apiUrl: () => string, founder: Api, name: string): Promise<Staffed> {
  const made = must(await founder("POST", "/v1/organizations", { name }));
  const apiOf =
    (key: string): Api =>
    (method, path, body, headers) =>
      apiAs(apiUrl(), key)(method, path, body, headers);
  const person = (role: Caller["role"], account: string, key: string, keyId: string): Caller => ({
    ...{ name: role, key, keyId, account, human: true, role, app: null, api: apiOf(key) },
  });
  const ownerApi = apiOf(made.key);
  const { members } = must(await ownerApi("GET", `/v1/organizations/${made.id}/members`));
  const owner = person("owner", members[0].account_id, made.key, made.key_id);
  const add = async (role: Caller["role"]) => {
    const email = `${role}-${made.id.slice(0, 8)}@example.com`;
    const path = `/v1/organizations/${made.id}/members`;
    const { account_id, key, key_id } = must(await ownerApi("POST", path, { email, role }));
    return person(role, account_id, key, key_id);
  };
  const admin = await add("admin");
  const manager = await add("policy_manager");
  const developer = await add("developer");
  const viewer = await add("viewer");
  const appId = await newApp(ownerApi);
  must(await ownerApi("POST", `/v1/me/apps/${appId}/substrate-link`, { read_scope: { own_only: true } }));
  const bound = { scope: "both", key_scope: "app", target_app_id: appId };
  return {
    ...{ organizationId: made.id, owner, admin, manager, developer, viewer, appId },
    agents: [
      await newAgent(owner, { scope: "both" }, apiOf),
      await newAgent(admin, { scope: "substrate" }, apiOf),
      await newAgent(developer, { scope: "both" }, apiOf),
    ],
    appKey: { ...(await newAgent(owner, bound, apiOf)), name: "app", app: appId },
  };
}

async function newAgent(of: Caller, more: object, apiOf: (key: string) => Api): Promise<Caller> {
  const { key, id } = must(await of.api("POST", "/api-keys", { name: "agent", kind: "agent", ...more }));
  return { ...of, name: `agent of ${of.role}`, key, keyId: id, human: false, api: apiOf(key) };
}

/** Proposes an action. */
export const propose = (api: Api, capability: string, payload: object, more: object = {}) =>
  api("POST", `${SUBSTRATE}/actions/propose`, { capability, payload, ...more });

/** Proposes one that has to be executed at once; what executing gave. */
export async function execute(api: Api, capability: string, payload: object): Promise<any> {
  const answer = must(await propose(api, capability, payload));
  if (answer.result === undefined) throw new Error(`it was not executed: ${JSON.stringify(answer)}`);
  return answer.result;
}

/** An entry of the ledger as an export tells it, with what its sealed values are. */
export interface TellEntry {
  readonly id: string;
  readonly kind: string;
  readonly subject: string | null;
  readonly org: string | null;
  readonly data: any;
  readonly actor: any;
  readonly values: Readonly<Record<string, any>>;
}

/**
 * Exports the ledger, verifies it by its public key and the kept checkpoints alone, and gives the organisation's own
 * entries in their order; throws with the report when it does not verify.
 */
export async function verifiedLedger(api: Api, kept: readonly string[] = []): Promise<TellEntry[]> {
  const { public_key } = must(await api("GET", "/v1/ledger/key"));
  const text: string = must(await api("GET", "/v1/ledger/export"));
  const lines = text.trimEnd().split("\n");
  const report = await verifyExport(lines, public_key, { checkpoints: kept });
  if (!report.ok) throw new Error(`the ledger does not verify: ${JSON.stringify(report)}`);
  return lines.flatMap((line) => {
    const { entry, openings = {} } = JSON.parse(line);
    if (entry === undefined) return [];
    const values = Object.entries<{ value: unknown }>(openings).map(([name, { value }]) => [name, value]);
    return [{ ...JSON.parse(entry), values: Object.fromEntries(values) }];
  });
}

/** All pages of a list, which `next` finds its place by. */
export async function allPages(
  api: Api,
  path: string,
  rows: string,
  next: { readonly answer: string; readonly query: string },
): Promise<any[]> {
  const all: any[] = [];
  for (let place = ""; ; ) {
    const body = must(await api("GET", `${path}${place}`));
    all.push(...body[rows]);
    const after = body[next.answer];
    if (after === undefined || after === null) return all;
    place = `&${next.query}=${encodeURIComponent(after)}`;
  }
}

/** A frame of the live stream. */
export interface StreamFrame {
  readonly type?: string;
  readonly op?: "insert" | "update" | "delete";
  readonly tbl?: string;
  readonly id?: string;
  readonly cursor?: string;
  readonly [field: string]: unknown;
}

export interface Stream {
  readonly frames: readonly StreamFrame[];
  readonly closed: { code: number; reason: string } | null;
  close(): Promise<void>;
}

/** Opens the live stream of the substrate; resolves with its first frame, or with how it was closed. */
export async function openStream(
  apiUrl: string,
  query: string,
  headers: Record<string, string> = {},
): Promise<Stream> {
  const url = `${apiUrl.replace("http", "ws")}${SUBSTRATE}/stream${query}`;
  const socket = new WebSocket(url, { headers });
  const frames: StreamFrame[] = [];
  let closed: { code: number; reason: string } | null = null;
  const gone = new Promise<void>((resolve) =>
    socket.on("close", (code, reason) => {
      closed = { code, reason: String(reason) };
      resolve();
    }),
  );
  const first = new Promise<void>((resolve) =>
    socket.on("message", (data) => {
      frames.push(JSON.parse(String(data)));
      resolve();
    }),
  );
  socket.on("error", () => {});
  await Promise.race([first, gone]);
  return {
    frames,
    get closed() {
      return closed;
    },
    async close() {
      socket.close();
      await gone;
    },
  };
}
