import type pg from "pg";

/**
 * A pool of connections per app, the least recently used first. All of them together stay under a bound: when it is
 * reached, pools that nobody is using right now are closed before another connection is opened.
 */
export class TenantPools {
  readonly #pools = new Map<string, pg.Pool>();
  readonly #open: (appId: string) => pg.Pool;
  readonly #mostConnections: number;

  constructor(open: (appId: string) => pg.Pool, mostConnections: number) {
    this.#open = open;
    this.#mostConnections = mostConnections;
  }

  /** The app's pool. Ask it for a connection at once: an idle pool may be closed at the next call. */
  get(appId: string): pg.Pool {
    const pool = this.#pools.get(appId) ?? this.#open(appId);
    this.#pools.delete(appId);
    if (pool.idleCount === 0) this.#makeRoom();
    this.#pools.set(appId, pool);
    return pool;
  }

  /** Connections open or being opened, of all apps. */
  get connections(): number {
    let sum = 0;
    for (const pool of this.#pools.values()) sum += pool.totalCount;
    return sum;
  }

  async close(appId: string): Promise<void> {
    const pool = this.#pools.get(appId);
    this.#pools.delete(appId);
    await pool?.end();
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#pools.keys()].map((appId) => this.close(appId)));
  }

  #makeRoom(): void {
    let connections = this.connections;
    for (const [appId, pool] of this.#pools) {
      const unused = pool.waitingCount === 0 && pool.idleCount === pool.totalCount;
      if (!unused || (connections < this.#mostConnections && pool.totalCount > 0)) continue;
      connections -= pool.totalCount;
      this.#pools.delete(appId);
      pool.end().catch(() => {});
    }
  }
}
