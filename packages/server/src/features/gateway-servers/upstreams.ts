import type { Upstream, UpstreamTarget } from "../../engines/upstream/types.ts";
import type { Log } from "../../kernel/log.ts";
import type { Secrets } from "../../kernel/secrets.ts";
import type { Entry, Registry } from "./registry.ts";
import { openValues } from "./sealing.ts";
import type { AllowedCommands } from "./stdio-allow.ts";
import type { ServerRow } from "./store.ts";
import type { UpstreamCredentials } from "./types.ts";

export type HttpTarget = Extract<UpstreamTarget, { transport: "http" }>;
export type StdioTarget = Extract<UpstreamTarget, { transport: "stdio" }>;

/** Whose connection it is; for logs, and for the directory a program runs in. */
export interface UpstreamOwner {
  readonly serverId: string;
  readonly organizationId: string;
}

/** How servers are reached; nothing is connected before it is needed. */
export interface Connect {
  http(target: HttpTarget, owner: UpstreamOwner): Upstream;
  stdio(target: StdioTarget, owner: UpstreamOwner): Upstream;
}

export interface UpstreamsDeps {
  readonly registry: Registry;
  readonly connect: Connect;
  readonly credentials: UpstreamCredentials;
  readonly allowed: AllowedCommands;
  readonly secrets: Secrets;
  readonly log: Log;
}

/** The warm connections of this node, one per server. */
export interface Upstreams {
  /** Throws for the built-in server, which needs none; GATEWAY_COMMAND_NOT_ALLOWED, GATEWAY_SECRETS_LOST. */
  get(entry: Entry): Upstream;
  openIds(): string[];
  /** How the connection is, if there is one. */
  stateOf(serverId: string): ReturnType<Upstream["state"]> | null;
  /** Called with the id of a server that says that its tools have changed. */
  onToolsChanged(listener: (serverId: string) => void): void;
  /** Ends all of them; resolves when they have ended. */
  stop(): Promise<void>;
}

interface Open {
  readonly upstream: Upstream;
  /** What it leads to. A change of anything else leaves the connection alone. */
  readonly target: string;
}

export function createUpstreams(deps: UpstreamsDeps): Upstreams {
  const { registry, connect, log } = deps;
  const open = new Map<string, Open>();
  const closing = new Set<Promise<void>>();
  let stopped = false;
  let toolsChanged: (serverId: string) => void = () => {};

  const close = (serverId: string) => {
    const entry = open.get(serverId);
    if (entry === undefined) return;
    open.delete(serverId);
    const closed = entry.upstream
      .close()
      .catch((error) => log.warn({ err: error, serverId }, "a connection to an MCP server did not close"))
      .finally(() => closing.delete(closed));
    closing.add(closed);
  };
  registry.onChanged((serverId, now) => {
    if (now === null || open.get(serverId)?.target !== targetKey(now)) close(serverId);
  });

  return {
    get({ row, server }) {
      if (stopped) throw new Error("the connections to MCP servers are closed");
      const target = targetKey(row);
      const present = open.get(row.id);
      if (present?.target === target) return present.upstream;
      if (server.transport === "builtin") throw new Error("the built-in server is not connected to");
      close(row.id);
      const owner = { serverId: row.id, organizationId: row.organization_id };
      const upstream =
        server.transport === "http"
          ? connect.http(httpTarget(deps, row), owner)
          : connect.stdio(stdioTarget(deps, row), owner);
      upstream.onToolsChanged(() => toolsChanged(row.id));
      open.set(row.id, { upstream, target });
      return upstream;
    },
    openIds: () => [...open.keys()],
    stateOf: (serverId) => open.get(serverId)?.upstream.state() ?? null,
    onToolsChanged(listener) {
      toolsChanged = listener;
    },
    async stop() {
      stopped = true;
      for (const serverId of open.keys()) close(serverId);
      await Promise.all(closing);
    },
  };
}

/** Headers are not part of it: they are asked for with each request. */
const targetKey = (row: ServerRow): string =>
  row.transport === "http" ? row.url! : JSON.stringify([row.command, row.args, row.sealed_secrets]);

function httpTarget({ registry, credentials, secrets }: UpstreamsDeps, row: ServerRow): HttpTarget {
  let opened = { sealed: row.sealed_secrets, values: openValues(secrets, row) };
  return {
    transport: "http",
    url: row.url!,
    async headers() {
      const { row: now, server } = registry.peek(row.id) ?? (await registry.get(row.id));
      // The credentials of a server go to that server: what was changed to another URL is not for this connection.
      if (now.url !== row.url) throw new Error("the server leads elsewhere now");
      if (opened.sealed !== now.sealed_secrets) {
        opened = { sealed: now.sealed_secrets, values: openValues(secrets, now) };
      }
      return { ...(await credentials.headersOf(server)), ...opened.values };
    },
    async renew() {
      return credentials.renew((await registry.get(row.id)).server);
    },
  };
}

function stdioTarget({ allowed, secrets }: UpstreamsDeps, row: ServerRow): StdioTarget {
  const env = openValues(secrets, row);
  return {
    transport: "stdio",
    // Asked again at every start: what the operator allowed once may not be allowed any more.
    command: allowed.pathOf(row.command!),
    args: row.args.map((arg) => fillIn(arg, env)),
    env,
  };
}

/** Puts variables where an argument names them, `${NAME}`; what is none of them stays as it is. Pure. */
export const fillIn = (arg: string, env: Readonly<Record<string, string>>): string =>
  arg.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (whole, name: string) =>
    Object.hasOwn(env, name) ? env[name]! : whole,
  );
