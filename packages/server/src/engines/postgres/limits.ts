/** Limits of the connections to Postgres. */
export const limits = {
  /** Connections for Ambit's own tables, per node. */
  controlConnections: 10,
  /** Different statements on them that keep a plan. */
  controlStatements: 1_000,
  /** Connections of one app's data plane, per node. */
  connectionsPerApp: 10,
  /** Connections of all apps' data planes together, per node; the built-in server takes 200 in all. */
  tenantConnections: 140,
  /** An app's connection unused for this long is closed. */
  idleConnectionMs: 10_000,
  /** A connection's age, after which it is replaced: bounds what a backend caches of the catalogue. */
  connectionLifetimeS: 1_800,
  /** Waiting for a connection, a restart of the server included. */
  connectMs: 5_000,
  /** Between two tries to connect. */
  reconnectPauseMs: 50,
} as const;
