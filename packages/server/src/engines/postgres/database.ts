import pg from "pg";
import { errors } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import { cancelStatement } from "./cancel-statement.ts";
import { limits } from "./limits.ts";
import { AnswerTooLarge, OneTrip, type RawResult, type Statement } from "./one-trip.ts";
import { quoteIdent } from "./quote.ts";
import { HELPER_SCHEMA, type TenantRole, tenantRole } from "./tenant.ts";
import { TenantPools } from "./tenant-pools.ts";

/** Something SQL can be sent to: the database itself, or a transaction on it. */
export interface Queryable {
  query<R extends object = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<R[]>;
}

/** A transaction under way. */
export interface Transaction extends Queryable {
  /**
   * Runs `work` as the last thing before the commit, after everything else of the transaction, in the order asked for.
   * What throws there undoes the transaction.
   */
  beforeCommit(work: (tx: Queryable) => Promise<void>): void;
  /** Runs `work` so that, when it throws, only what it did is undone (a savepoint); the error goes on. */
  nested<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}

/** Who a data-plane statement runs as. */
export interface Identity {
  readonly role: TenantRole;
  /** Claims as policies see them in `request.jwt.claims`; `sub` is the user id. */
  readonly claims: Readonly<Record<string, unknown>> | null;
}

/** Where Postgres is. `password` is only used when the server asks for one. */
export interface Target {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string | undefined;
  readonly ssl?: boolean | object | undefined;
}

/** The database as features see it: a control connection for Ambit's own tables, and each app's own login. */
export class Database implements Queryable {
  readonly target: Target;
  readonly #control: pg.Pool;
  readonly #tenants: TenantPools;
  readonly #passwordOf: (appId: string) => string;
  readonly #log: Log;

  constructor(target: Target, passwordOf: (appId: string) => string, log: Log) {
    this.target = target;
    this.#passwordOf = passwordOf;
    this.#log = log;
    this.#control = this.#pool({
      ...target,
      max: limits.controlConnections,
      // What Ambit itself needs is not given back to a server that may be out of connections by then.
      idleTimeoutMillis: 0,
      application_name: "ambit",
    });
    this.#tenants = new TenantPools((appId) => this.#tenantPool(appId), limits.tenantConnections);
  }

  /** Runs one statement on the control connection; one with values keeps its plan there. */
  async query<R extends object = Record<string, unknown>>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<R[]> {
    const client = await this.#connect(this.#control);
    const name = values.length === 0 ? undefined : statementName(text);
    try {
      const result = await client.query<R>({ name, text, values: [...values] });
      client.release();
      return result.rows;
    } catch (error) {
      const outdated = name !== undefined && (error as { code?: string }).code === PLAN_OUTDATED;
      client.release(outdated || isConnectionLoss(error));
      // Another node has migrated the table since; a connection without the old plan knows its new shape.
      if (outdated) return this.query(text, values);
      throw unavailableIfLost(error);
    }
  }

  /** Runs `work` in one transaction on the control connection; rolls back when it throws. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.#transaction(this.#control, "begin", work, statementName);
  }

  /**
   * Runs one statement as a caller of an app: role, claims and statement in a single round trip. Aborting `signal`
   * cancels the statement.
   */
  async asCaller(
    appId: string,
    identity: Identity,
    statement: Statement,
    signal?: AbortSignal,
  ): Promise<RawResult> {
    const client = await this.#connect(this.#tenants.get(appId));
    let cancelled = false;
    const cancel = () => {
      cancelled = true;
      cancelStatement(client as unknown as pg.Client);
    };
    try {
      signal?.throwIfAborted();
      signal?.addEventListener("abort", cancel, { once: true });
      const subject = identity.claims?.sub;
      const as = {
        role: tenantRole(appId, identity.role),
        claims: identity.claims === null ? "" : JSON.stringify(identity.claims),
        subject: typeof subject === "string" ? subject : "",
      };
      const result = await new Promise<RawResult>((resolve, reject) => {
        client.query(new OneTrip(as, statement, resolve, reject));
      });
      // A request to cancel that comes late would hit whoever has the connection next.
      client.release(cancelled);
      return result;
    } catch (error) {
      client.release(cancelled || isConnectionLoss(error) || error instanceof AnswerTooLarge);
      throw unavailableIfLost(error);
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** Runs `work` in one transaction as the owner of an app's schema, on the app's own login. */
  ownerTransaction<T>(appId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const begin = `begin; set local role ${quoteIdent(tenantRole(appId, "owner"))}; set local search_path = ${quoteIdent(appId)}, ${HELPER_SCHEMA}, extensions`;
    return this.#transaction(this.#tenants.get(appId), begin, work);
  }

  /**
   * A connection of its own on the app's login, for SQL whose side effects on the session are not known;
   * closed afterwards, so that nothing of it can reach another caller.
   */
  async asLoginOnce<T>(appId: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = new pg.Client(this.#tenantConfig(appId));
    client.on("error", () => {});
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end().catch(() => {});
    }
  }

  /** Closes an app's connections, e.g. before it is dropped. */
  closeTenant(appId: string): Promise<void> {
    return this.#tenants.close(appId);
  }

  async close(): Promise<void> {
    await Promise.all([this.#control.end(), this.#tenants.closeAll()]);
  }

  #tenantConfig(appId: string): pg.ClientConfig {
    return {
      ...this.target,
      user: appId,
      password: this.#passwordOf(appId),
      application_name: `ambit ${appId}`,
    };
  }

  #tenantPool(appId: string): pg.Pool {
    return this.#pool({
      ...this.#tenantConfig(appId),
      max: limits.connectionsPerApp,
      idleTimeoutMillis: limits.idleConnectionMs,
      maxLifetimeSeconds: limits.connectionLifetimeS,
    });
  }

  #pool(config: pg.PoolConfig): pg.Pool {
    const pool = new pg.Pool({ connectionTimeoutMillis: limits.connectMs, ...config });
    pool.on("error", (error) => {
      // A connection that is being closed may still hear that Postgres is stopping.
      if (!pool.ending) this.#log.warn({ error: error.message }, "an idle database connection was lost");
    });
    // A connection may die while it is lent out and between two statements; the next statement then fails by itself.
    pool.on("connect", (client) => client.on("error", () => {}));
    return pool;
  }

  /** A connection, waiting out a restart of Postgres: until it is connected nothing has been sent. */
  async #connect(pool: pg.Pool): Promise<pg.PoolClient> {
    const giveUpAt = performance.now() + limits.connectMs;
    for (;;) {
      try {
        return await pool.connect();
      } catch (error) {
        if (!isConnectionLoss(error) || performance.now() > giveUpAt || pool.ending)
          throw unavailableIfLost(error);
        await new Promise((resolve) => setTimeout(resolve, limits.reconnectPauseMs));
      }
    }
  }

  async #transaction<T>(
    pool: pg.Pool,
    begin: string,
    work: (tx: Transaction) => Promise<T>,
    nameOf: (text: string) => string | undefined = () => undefined,
  ): Promise<T> {
    const client = await this.#connect(pool);
    let broken = false;
    try {
      await client.query(begin);
      const last: ((tx: Queryable) => Promise<void>)[] = [];
      const tx = transactionOn(client, last, nameOf);
      const result = await work(tx);
      for (const each of last) await each(tx);
      await client.query("commit");
      return result;
    } catch (error) {
      broken = isConnectionLoss(error) || (error as { code?: string }).code === PLAN_OUTDATED;
      if (!broken) await client.query("rollback").catch(() => (broken = true));
      throw unavailableIfLost(error);
    } finally {
      client.release(broken);
    }
  }
}

/** `last` gathers what is to be run before the commit; what a failed part added to it is taken out again. */
function transactionOn(
  client: pg.PoolClient,
  last: ((tx: Queryable) => Promise<void>)[],
  nameOf: (text: string) => string | undefined,
): Transaction {
  const tx: Transaction = {
    async query<R extends object>(text: string, values: readonly unknown[] = []) {
      const name = values.length === 0 ? undefined : nameOf(text);
      return (await client.query<R>({ name, text, values: [...values] })).rows;
    },
    beforeCommit: (work) => void last.push(work),
    async nested(work) {
      const before = last.length;
      await client.query("savepoint ambit_nested");
      try {
        const result = await work(tx);
        await client.query("release savepoint ambit_nested");
        return result;
      } catch (error) {
        last.length = before;
        if (!isConnectionLoss(error)) {
          await client.query("rollback to savepoint ambit_nested; release savepoint ambit_nested");
        }
        throw error;
      }
    },
  };
  return tx;
}

/** "cached plan must not change result type" */
const PLAN_OUTDATED = "0A000";

/** Names of statements Ambit sends for itself; their texts are its own and few. */
const statementNames = new Map<string, string>();

function statementName(text: string): string | undefined {
  let name = statementNames.get(text);
  if (name === undefined && statementNames.size < limits.controlStatements) {
    name = `ambit_control_${statementNames.size}`;
    statementNames.set(text, name);
  }
  return name;
}

/** SQLSTATE classes and socket errors that mean the server, not the statement, is the trouble. */
const LOST = new Set(["57P01", "57P02", "57P03", "53300", "08000", "08001", "08003", "08004", "08006"]);
const SOCKET_LOST = new Set(["ECONNREFUSED", "ECONNRESET", "ENOENT", "EPIPE", "ETIMEDOUT"]);

/** Whether the error says that the connection, not the statement, failed. */
export function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: string }).code;
  if (code !== undefined) return LOST.has(code) || SOCKET_LOST.has(code);
  return /Connection terminated|not queryable|connection error|timeout exceeded when trying to connect/i.test(
    error.message,
  );
}

function unavailableIfLost(error: unknown): unknown {
  if (!isConnectionLoss(error)) return error;
  return errors.DATABASE_UNAVAILABLE({ cause: error, headers: { "Retry-After": "1" } });
}
