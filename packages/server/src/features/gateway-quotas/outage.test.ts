import { connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { type QuotaStand, quotaStand, reservation } from "./testing/stand.ts";

let stand: QuotaStand;
beforeAll(async () => {
  stand = await quotaStand();
});
afterAll(() => stand.stop());

/** Postgres behind a line that can be cut, and whose answers can be kept back. */
async function line() {
  const sockets = new Set<Socket>();
  const kept: (() => void)[] = [];
  let keeps = false;
  const { host, port } = stand.platform.database.target;
  const server: Server = createServer((near) => {
    const far = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (data) => far.write(data));
    far.on("data", (data) => {
      if (keeps) kept.push(() => near.write(data));
      else near.write(data);
    });
  });
  const listen = (at: number) =>
    new Promise<number>((resolve) => {
      server.listen(at, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
    });
  const at = await listen(0);
  return {
    target: { ...stand.platform.database.target, host: "127.0.0.1", port: at },
    cut() {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
    restore: () => listen(at),
    keepAnswers() {
      keeps = true;
    },
    letAnswersGo() {
      keeps = false;
      for (const send of kept.splice(0)) send();
    },
  };
}

/** What came of it, and after how long. */
async function timed(work: Promise<unknown>): Promise<{ outcome: unknown; ms: number }> {
  const started = performance.now();
  const outcome = await work.catch((error) => error.code ?? String(error));
  return { outcome, ms: performance.now() - started };
}

describe("when Postgres does not answer", () => {
  it("a call is refused within two seconds, and counted again once it is back", async () => {
    const wire = await line();
    const node = stand.node(wire.target);
    const of = [reservation("cut", { max: 100 })];
    expect(await node.quotas.reserve(of)).toEqual({ ok: true });
    await wire.cut();
    const refused = await Promise.all(Array.from({ length: 5 }, () => timed(node.quotas.reserve(of))));
    for (const { outcome, ms } of refused) {
      expect(outcome).toBe("DATABASE_UNAVAILABLE");
      expect(ms).toBeLessThan(limits.waitMs + 300);
    }
    expect((await timed(node.quotas.giveBack(of))).outcome).toBe("DATABASE_UNAVAILABLE");
    await wire.restore();
    await expect
      .poll(() => node.quotas.reserve(of).catch(() => null), { timeout: 10_000 })
      .toEqual({ ok: true });
    await node.close();
    await wire.cut();
  });

  it("a call is refused when the answer does not come, and what was reserved for it is given back later", async () => {
    const wire = await line();
    const node = stand.node(wire.target);
    const of = [reservation("silent", { max: 100, cost: 3 })];
    expect(await node.quotas.reserve(of)).toEqual({ ok: true });
    wire.keepAnswers();
    const { outcome, ms } = await timed(node.quotas.reserve(of));
    expect(outcome).toBe("DATABASE_UNAVAILABLE");
    expect(ms).toBeLessThan(limits.waitMs + 300);
    expect(await stand.usedOf("silent", 0)).toBe(6);
    wire.letAnswersGo();
    await expect.poll(() => stand.usedOf("silent", 0)).toBe(3);
    await node.quotas.stop();
    await node.close();
    await wire.cut();
  });

  it("a counter that somebody has locked refuses its calls in time, and no others", async () => {
    const other = stand.node();
    const of = [reservation("locked", { max: 100 })];
    await stand.quotas.reserve(of);
    let done: () => void = () => {};
    const held = other.platform.database.transaction(async (tx) => {
      await tx.query("select 1 from ambit.gateway_counters where key = 'locked' for update");
      await new Promise<void>((resolve) => {
        done = resolve;
      });
    });
    await pause(50);
    const waiting = timed(stand.quotas.reserve(of));
    await pause(50);
    expect(await timed(stand.quotas.reserve([reservation("free")]))).toMatchObject({ outcome: { ok: true } });
    const { outcome, ms } = await waiting;
    expect(outcome).toBe("DATABASE_UNAVAILABLE");
    expect(ms).toBeLessThan(limits.waitMs + 300);
    done();
    await held;
    expect(await stand.quotas.reserve(of)).toEqual({ ok: true });
    expect(await stand.usedOf("locked", 0)).toBe(2);
  });
});
