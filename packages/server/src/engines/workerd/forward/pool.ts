import { limits } from "../limits.ts";
import { Connection, type ConnectionOwner } from "./connection.ts";

/** Connections to one socket of a process. The one used last is used first, so that spare ones grow old and close. */
export class Pool implements ConnectionOwner {
  readonly path: string;
  #idle: Connection[] = [];
  readonly #all = new Set<Connection>();
  #closed = false;

  constructor(path: string) {
    this.path = path;
  }

  /** An idle connection, or a new one. */
  take(): Connection {
    const oldest = performance.now() - limits.idleConnectionMs;
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.idleSinceMs >= oldest) return connection;
      connection.destroy();
    }
    return this.fresh();
  }

  /** A connection nothing was ever sent over. */
  fresh(): Connection {
    const connection = new Connection(this.path, this);
    this.#all.add(connection);
    return connection;
  }

  /** Ends every connection; exchanges under way are told that they are lost. */
  close(): void {
    this.#closed = true;
    this.#idle = [];
    for (const connection of [...this.#all]) connection.destroy();
  }

  onIdle(connection: Connection): void {
    if (this.#closed || this.#idle.length >= limits.idleConnections) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = performance.now();
    this.#idle.push(connection);
  }

  onClosed(connection: Connection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}
