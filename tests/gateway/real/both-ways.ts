import { inject } from "vitest";
import type { Nodes } from "../../support/functions.ts";
import {
  ALLOW_ALL,
  addGrant,
  addServer,
  freePort,
  type Issued,
  startGateway,
} from "../../support/gateway.ts";
import { type RunningServer, startHttp } from "./everything.ts";

/** One program behind the gateway twice: as a program, and over HTTP; each with a grant that may do all. */
export interface BothWays {
  readonly nodes: Nodes;
  readonly http: RunningServer;
  readonly grants: Readonly<Record<"stdio" | "http", Issued>>;
  close(): Promise<void>;
}

/** `program` serves over HTTP at `path` when it is given a port. */
export async function startBothWays(program: string, path: string): Promise<BothWays> {
  await using starting = new AsyncDisposableStack();
  const port = await freePort();
  const nodes = await startGateway(inject("postgres"), { ports: [port] });
  starting.defer(() => nodes.close());
  const http = await startHttp({ command: process.execPath, args: [program, String(port)] }, port, path);
  starting.defer(() => http.stop());
  const stdio = await addServer(nodes.owner, {
    transport: "stdio",
    command: process.execPath,
    args: [program],
  });
  const remote = await addServer(nodes.owner, { transport: "http", url: http.url });
  const grants = {
    stdio: await addGrant(nodes.owner, stdio.server_id, ALLOW_ALL),
    http: await addGrant(nodes.owner, remote.server_id, ALLOW_ALL),
  };
  const started = starting.move();
  return { nodes, http, grants, close: () => started.disposeAsync() };
}
