import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Caller } from "../../testing/caller.ts";
import { createConnect } from "./connect.ts";
import { limits } from "./limits.ts";
import type { GatewayServer, HttpTarget, UpstreamOwner } from "./service.ts";
import { startMcpServer, type TestMcpServer, tool } from "./testing/mcp-server.ts";
import { type Node, openStand, type Stand } from "./testing/stand.ts";

let stand: Stand;
let one: Node;
let other: Node;
let upstream: TestMcpServer;
let second: TestMcpServer;
let organizationId: string;
let caller: Caller;
let server: GatewayServer;
/** Added to both nodes' clocks, so that a test need not wait. */
let aheadMs = 0;
const config = () => ({ allowPrivateFetch: [upstream.host, second.host] });
const clock = () => Date.now() + aheadMs;

beforeAll(async () => {
  stand = await openStand();
  [upstream, second] = await Promise.all([startMcpServer(), startMcpServer(tool("read_note"))]);
  [one, other] = [stand.node(config(), { clock }), stand.node(config(), { clock })];
  one.service.start();
  other.service.start();
});
afterAll(async () => {
  await stand.stop();
  await Promise.all([upstream.close(), second.close()]);
});
beforeEach(async () => {
  upstream.pages = [[tool("read_note"), tool("delete_note")]];
  organizationId = await stand.organization();
  caller = one.caller(organizationId);
  const added = await caller.call<{ server_id: string }>("gateway.add_server", {
    ...{ name: "notes", transport: "http", url: upstream.url },
  });
  server = (await one.service.find(added.server_id))!;
});
afterEach(() => {
  Object.assign(upstream, { fails: null, delayMs: 0 });
});
const kinds = async () => (await stand.entries(organizationId)).map(({ kind }) => kind);
/** Waits until `holds`, at most so long; how long that took. */
async function until(holds: () => unknown, withinMs: number): Promise<number> {
  const startedMs = performance.now();
  while (!(await holds())) {
    if (performance.now() - startedMs > withinMs) throw new Error(`not within ${withinMs} ms`);
    await sleep(10);
  }
  return performance.now() - startedMs;
}

describe("several nodes", () => {
  it("that look first at once make one set of pins", async () => {
    upstream.delayMs = 50;
    const states = await Promise.all(
      [one, other, one, other].flatMap(({ service }) =>
        ["read_note", "delete_note", "none"].map((name) => service.toolState(server, name)),
      ),
    );
    expect(states).toEqual(Array.from({ length: 4 }, () => ["approved", "approved", "changed"]).flat());
    expect(await kinds()).toEqual(["gateway.tools.pinned"]);
  });

  it("that see different tools at first: one look is the first, the other finds changes", async () => {
    second.pages = [[tool("a", "as the other sees it")]];
    upstream.pages = [[tool("a", "as one sees it")]];
    const real = createConnect({
      ...stand.test.platform,
      config: { ...stand.test.platform.config, ...config() },
    });
    const connect = {
      ...real,
      http: (target: HttpTarget, owner: UpstreamOwner) => real.http({ ...target, url: second.url }, owner),
    };
    const astray = stand.node(config(), { connect });
    for (let round = 0; round < 5; round++) {
      const added = await caller.call<{ server_id: string }>("gateway.add_server", {
        ...{ name: `race ${round}`, transport: "http", url: upstream.url },
      });
      const raced = (await one.service.find(added.server_id))!;
      await Promise.all([one.service.toolState(raced, "a"), astray.service.toolState(raced, "a")]);
      const mine = (await stand.entries(organizationId)).filter(({ subject }) => subject === raced.id);
      expect(mine.map(({ kind }) => kind)).toEqual(["gateway.tools.pinned", "gateway.tool.changed"]);
      const [row] = await stand.test.platform.database.query<Record<string, string>>(
        "select * from ambit.gateway_tools where server_id = $1",
        [raced.id],
      );
      expect(mine[0]!.data.tools[0]!.hash).toBe(row!.approved_hash);
      expect(mine[1]!.data.tools[0]!.hash).toBe(row!.present_hash);
      await until(async () => (await one.service.toolState(raced, "a")) === "changed", 1_000);
    }
  });

  it("learn of a change, an approval and a deletion within a second", async () => {
    for (const { service } of [one, other]) await service.toolState(server, "read_note");
    const told: string[] = [];
    other.service.onChanged((id) => told.push(`changed ${id}`));
    other.service.onDeleted((id) => told.push(`deleted ${id}`));
    await other.service.upstream(server);

    upstream.pages = [[tool("read_note", "other"), tool("delete_note")]];
    await caller.call("gateway.scan_server", { server_id: server.id });
    expect(one.service.peekToolState(server, "read_note")).toBe("changed");
    await until(async () => (await other.service.toolState(server, "read_note")) === "changed", 1_000);
    const { changes } = await caller.call<{ changes: { tool: string; hash: string }[] }>(
      "gateway.list_tool_changes",
      { server_id: server.id },
    );
    const tools = changes.map((each) => ({ name: each.tool, hash: each.hash }));
    await caller.call("gateway.approve_tools", { server_id: server.id, tools });
    expect(one.service.peekToolState(server, "read_note")).toBe("approved");
    await until(async () => (await other.service.toolState(server, "read_note")) === "approved", 1_000);

    const before = await other.service.upstream(server);
    await caller.call("gateway.update_server", { server_id: server.id, name: "renamed", url: second.url });
    await until(() => told.includes(`changed ${server.id}`), 1_000);
    expect(await other.service.find(server.id)).toMatchObject({ name: "renamed" });
    expect(await other.service.upstream(server)).not.toBe(before);

    await caller.call("gateway.delete_server", { server_id: server.id });
    await until(() => told.includes(`deleted ${server.id}`), 1_000);
    expect(told.indexOf(`deleted ${server.id}`)).toBe(told.length - 1);
    await expect(other.service.upstream(server)).rejects.toMatchObject({ code: "RESOURCE_NOT_FOUND" });
    await expect(other.service.toolState(server, "read_note")).rejects.toMatchObject({
      code: "RESOURCE_NOT_FOUND",
    });
  });
});

describe("looking again", () => {
  it("is done when the server says that its tools have changed, and calls wait for it", async () => {
    await one.service.toolState(server, "read_note");
    // The subscription to changes is made after the first question.
    await sleep(300);
    upstream.pages = [[tool("read_note", "rug pull"), tool("delete_note")]];
    upstream.toolsChanged();
    await until(() => one.service.peekToolState(server, "read_note") !== "approved", 1_000);
    expect(await one.service.toolState(server, "read_note")).toBe("changed");
    expect(await kinds()).toEqual(["gateway.tools.pinned", "gateway.tool.changed"]);
  });

  it("is done every minute for a server in use, and not for others", async () => {
    await one.service.toolState(server, "read_note");
    upstream.pages = [[tool("read_note", "rug pull"), tool("delete_note")]];
    const lists = upstream.lists;
    await sleep(3 * limits.tickMs);
    expect(upstream.lists).toBe(lists);
    aheadMs += limits.lookEveryMs;
    await until(async () => (await one.service.toolState(server, "read_note")) === "changed", 3_000);
    aheadMs += limits.inUseMs + limits.lookEveryMs;
    await sleep(3 * limits.tickMs);
    const after = upstream.lists;
    aheadMs += limits.lookEveryMs;
    await sleep(3 * limits.tickMs);
    expect(upstream.lists).toBe(after);
  });

  it("comes before the next call when the tools were not seen for long; without it nothing is called", async () => {
    await one.service.toolState(server, "read_note");
    expect(one.service.peekToolState(server, "read_note")).toBe("approved");
    aheadMs += limits.staleMs + limits.inUseMs;
    await sleep(2 * limits.tickMs);
    upstream.pages = [[tool("read_note", "rug pull"), tool("delete_note")]];
    expect(one.service.peekToolState(server, "read_note")).toBeUndefined();
    expect(await one.service.toolState(server, "read_note")).toBe("changed");
    expect(await one.service.toolState(server, "delete_note")).toBe("approved");
    aheadMs += limits.staleMs + limits.inUseMs;
    upstream.fails = 503;
    await expect(one.service.toolState(server, "delete_note")).rejects.toMatchObject({
      code: "GATEWAY_UPSTREAM_FAILED",
    });
    upstream.fails = null;
    expect(await one.service.toolState(server, "delete_note")).toBe("approved");
  });
});
