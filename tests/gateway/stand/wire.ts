import { once } from "node:events";
import { chmodSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PostgresAddress } from "../../support/functions.ts";

/** A way to a Postgres that can be cut and mended. */
export interface Wire {
  /** Where its other end is. */
  readonly address: PostgresAddress;
  /** Ends all connections, and takes no more. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** Leads to this Postgres. */
export async function startWire(postgres: PostgresAddress): Promise<Wire> {
  const directory = mkdtempSync(join(tmpdir(), "ambit-wire-"));
  chmodSync(directory, 0o755);
  const name = `.s.PGSQL.${postgres.port}`;
  const sockets = new Set<Socket>();
  let isCut = false;
  const end = () => {
    for (const socket of sockets) socket.destroy();
  };
  const listener = createServer((near) => {
    if (isCut) return near.destroy();
    const far = connect(join(postgres.host, name));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }).listen(join(directory, name));
  await once(listener, "listening");
  return {
    address: { ...postgres, host: directory },
    cut() {
      isCut = true;
      end();
    },
    mend() {
      isCut = false;
    },
    async close() {
      end();
      listener.close();
      await once(listener, "close");
      await rm(directory, { recursive: true, force: true });
    },
  };
}
