import type pg from "pg";
import { cancelStatement } from "../../engines/postgres/cancel-statement.ts";
import { type Database, type Identity, isConnectionLoss } from "../../engines/postgres/database.ts";
import { quoteIdent, quoteLiteral } from "../../engines/postgres/quote.ts";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import { errors } from "../../kernel/errors.ts";
import { createGate } from "../../kernel/gate.ts";
import { limits } from "./limits.ts";

/** How a transaction on a connection of its own runs. */
export interface SessionOptions {
  readonly readOnly: boolean;
  /** Keep what was done; else it is rolled back. */
  readonly commit: boolean;
  /** Aborting cancels the statement and cuts the connection. */
  readonly signal?: AbortSignal | undefined;
}

/** Connections of their own are bounded apart from the app's pool, whose place they must not take. */
const sessions = createGate({
  inside: limits.ownSessions,
  waiting: limits.waitingSessions,
  refusal: () =>
    errors.QUOTA_RATE_LIMIT({
      message: "Too many statements of this app are running or waiting.",
      headers: { "Retry-After": "1" },
    }),
});

/**
 * Runs `work` as a caller of an app in one transaction, on a connection that is closed afterwards, so that whatever
 * the statement does to its session can reach nobody else. One statement takes at most `limits.sqlStatementMs`.
 * @throws DATABASE_UNAVAILABLE when there is no connection to be had; QUOTA_RATE_LIMIT when too many wait.
 */
export function inOwnSession<T>(
  database: Database,
  appId: string,
  identity: Identity,
  { readOnly, commit, signal }: SessionOptions,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  let connected = false;
  const transaction = async (client: pg.Client) => {
    connected = true;
    // Whoever went away while the connection was being made is not heard of again.
    signal?.throwIfAborted();
    const cut = () => {
      cancelStatement(client);
      // Postgres forgets a request that comes before the statement does, although it has been sent by then.
      for (const ms of limits.cancelAgainMs) setTimeout(cancelStatement, ms, client).unref();
      streamOf(client).destroy(signal?.reason);
    };
    signal?.addEventListener("abort", cut, { once: true });
    try {
      await client.query(beginAs(appId, identity, readOnly));
      const result = await work(client);
      await client.query(commit ? "commit" : "rollback");
      return result;
    } finally {
      signal?.removeEventListener("abort", cut);
    }
  };
  return sessions.run(appId, async () => {
    signal?.throwIfAborted();
    try {
      return await database.asLoginOnce(appId, transaction);
    } catch (error) {
      if (connected || !isConnectionLoss(error)) throw error;
      throw errors.DATABASE_UNAVAILABLE({ cause: error, headers: { "Retry-After": "1" } });
    }
  });
}

/** Settings first, then the snapshot that set_config takes: from there on a read-only transaction stays one. */
function beginAs(appId: string, { role, claims }: Identity, readOnly: boolean): string {
  const subject = claims?.sub;
  const settings = [
    ["request.jwt.claims", claims === null ? "" : JSON.stringify(claims)],
    ["request.jwt.claim.sub", typeof subject === "string" ? subject : ""],
  ] as const;
  return [
    `begin ${readOnly ? "read only" : "read write"}`,
    `set local statement_timeout = ${limits.sqlStatementMs}`,
    `set local role ${quoteIdent(tenantRole(appId, role))}`,
    `select ${settings.map(([name, value]) => `set_config('${name}', ${quoteLiteral(value)}, true)`).join(", ")}`,
  ].join("; ");
}

/** The socket under a client, which the driver's types leave out. */
export const streamOf = (client: pg.Client): NodeJS.ReadableStream & { destroy(reason?: Error): void } =>
  (client as unknown as { connection: { stream: ReturnType<typeof streamOf> } }).connection.stream;
