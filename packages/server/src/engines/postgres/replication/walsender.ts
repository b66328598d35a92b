/** One replication connection, from connecting to the end of its stream. Knows frames, not transactions. */
import {
  Client,
  type ClientBase,
  type ClientConfig,
  type Connection,
  escapeIdentifier,
  escapeLiteral,
} from "pg";
import { errors } from "./errors.ts";
import { limits } from "./limits.ts";
import { formatLsn, parseLsn } from "./lsn.ts";

/**
 * What the text of values depends on, set and checked on every connection: the reader of the stream relies on one
 * fixed format whatever the database's or the role's own settings are. With nothing of the user's on the search path,
 * names (regclass and the like) are printed in full.
 */
const outputSettings = {
  client_encoding: "UTF8",
  datestyle: "ISO, MDY",
  intervalstyle: "postgres",
  timezone: "UTC",
  extra_float_digits: "1",
  bytea_output: "hex",
  search_path: "pg_catalog",
  statement_timeout: "0",
} as const;

export interface StreamRequest {
  slot: string;
  publications: readonly string[];
  from: bigint;
}

/** Connects in replication mode and fixes the output settings. `signal` cuts the connection at any time. */
export async function connectWalsender(config: ClientConfig, signal: AbortSignal): Promise<Client> {
  // `replication` is missing from the type declarations: the startup parameter that makes the server a walsender.
  const mode = { keepAlive: true, pipeline: false, query_timeout: 0, replication: "database" };
  const client = new Client({ application_name: "ambit change stream", ...config, ...mode });
  client.on("error", () => {}); // whoever waits on the connection learns of it; unheard, it would end the process
  signal.throwIfAborted();
  const cut = () => connectionOf(client).stream.destroy();
  signal.addEventListener("abort", cut);
  client.once("end", () => signal.removeEventListener("abort", cut));
  try {
    await client.connect();
    await fixOutputSettings(client);
    return client;
  } catch (error) {
    cut();
    throw signal.aborted ? signal.reason : error;
  }
}

async function fixOutputSettings(client: ClientBase): Promise<void> {
  const settings = { ...outputSettings, wal_sender_timeout: `${limits.serverTimeoutMs}ms` };
  const calls = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', false)`);
  const asked = Object.keys(outputSettings).map((name) => `current_setting('${name}') AS "${name}"`);
  // Both in one trip: a text with several statements has several results.
  const results = (await client.query(`SELECT ${calls}; SELECT ${asked}`)) as unknown as {
    rows: Record<string, string>[];
  }[];
  const rows = results.at(-1)!.rows;
  for (const [name, wanted] of Object.entries(outputSettings)) {
    const found = rows[0]?.[name];
    if (found !== wanted)
      throw errors.REPLICATION_SETTINGS_REFUSED({ details: { setting: name, wanted, found } });
  }
}

/** Where the server's log ends now, as far as it is safe on disk. */
export async function logEnd(client: ClientBase): Promise<bigint> {
  const { rows } = await client.query<{ xlogpos: string }>("IDENTIFY_SYSTEM");
  return parseLsn(rows[0]!.xlogpos);
}

/** The CopyBoth stream of a connection. It is, at the same time, the query `pg` calls for what the server answers. */
export class ReplicationStream {
  /** Resolves when the socket is closed, with the error that ended it if there was one. */
  readonly closed: Promise<unknown>;
  readonly #client: Client;
  readonly #connection: Connection;
  readonly #onFrame: (frame: Buffer) => void;
  readonly #started = Promise.withResolvers<void>();
  #command = "";
  #destroyed = false;
  #cause: unknown;

  /** `onFrame` gets each frame, valid during the call only; if it throws, the connection ends with that error. */
  constructor(client: Client, onFrame: (frame: Buffer) => void) {
    this.#client = client;
    this.#connection = connectionOf(client);
    this.#onFrame = onFrame;
    this.closed = new Promise((resolve) => client.once("end", () => resolve(this.#cause)));
    this.#started.promise.catch(() => {}); // heard by whoever called `start`, if anyone did
    void this.closed.then(() => this.#started.reject(errors.REPLICATION_CONNECTION_LOST()));
  }

  /** Calls `onStarted` before the first frame, then resolves; rejects with the server's error if it refuses. */
  start({ slot, publications, from }: StreamRequest, onStarted: () => void): Promise<void> {
    const names = publications.map(escapeIdentifier).join(",");
    const options = `proto_version '1', publication_names ${escapeLiteral(names)}, messages 'true'`;
    this.#command = `START_REPLICATION SLOT ${escapeIdentifier(slot)} LOGICAL ${formatLsn(from)} (${options})`;
    this.#connection.once("replicationStart", () => {
      onStarted();
      this.#started.resolve();
    });
    this.#client.query(this);
    return this.#started.promise;
  }

  /** Bytes to the server. Nothing is written to a socket that is closed or closing. */
  send(bytes: Buffer): void {
    if (this.#connection.stream.writable) this.#connection.stream.write(bytes);
  }

  pause(): void {
    this.#connection.stream.pause();
  }

  resume(): void {
    this.#connection.stream.resume();
  }

  /** Closes at once. `cause` is what `closed` will give, unless there was an error before. */
  destroy(cause?: unknown): void {
    this.#cause ??= cause;
    this.#destroyed = true;
    this.#connection.stream.destroy();
  }

  /** Says goodbye and waits for the server to have let go of the slot; by force after a while. */
  async end(): Promise<void> {
    const force = setTimeout(() => this.destroy(), limits.closeMs);
    this.resume();
    this.#connection.end();
    await this.closed;
    clearTimeout(force);
  }

  submit(connection: Connection): void {
    connection.query(this.#command);
  }

  handleCopyData(message: { chunk: Buffer }): void {
    if (this.#destroyed) return;
    try {
      this.#onFrame(message.chunk);
    } catch (error) {
      this.destroy(error);
    }
  }

  /** The server ended the stream, or refused to start it; either way this connection has served its purpose. */
  handleError(error: unknown): void {
    this.#started.reject(error);
    this.destroy(error);
  }

  handleCommandComplete(): void {
    this.destroy();
  }

  handleReadyForQuery(): void {
    this.destroy();
  }
}

function connectionOf(client: Client): Connection {
  return (client as unknown as { connection: Connection }).connection;
}
