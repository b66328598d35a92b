import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { createLog } from "../../../kernel/log.ts";
import { channelLimits } from "./limits.ts";
import { createNative } from "./native.ts";
import { asked, call, exchange, stateless } from "./testing/exchange.ts";
import { type Scripted, scripted } from "./testing/scripted.ts";

const era = "stateless" as const;
let close = async () => {};
afterEach(() => close());

function fixture() {
  const channels: Scripted[] = [];
  const native = createNative({
    async open() {
      const one = scripted();
      channels.push(one);
      return one.channel;
    },
    limits: { ...channelLimits, sharedIdleMs: 30 },
    log: createLog("silent"),
    clientInfo: { name: "test", version: "1" },
  });
  close = native.close;
  return { native, channels };
}

describe("a channel whose server speaks the stateless era", () => {
  it("what belongs to no request reaches nobody, and a request of the server's is declined", async () => {
    const { native, channels } = fixture();
    const seen = exchange(native, stateless(call("a")), { era });
    await sleep(5);
    const server = channels[0]!;
    server.say({ jsonrpc: "2.0", method: "notifications/message", params: { data: "another caller's" } });
    const _meta = { "io.modelcontextprotocol/subscriptionId": 99 };
    server.say({ jsonrpc: "2.0", method: "notifications/tools/list_changed", params: { _meta } });
    server.say({ jsonrpc: "2.0", id: 1, method: "roots/list" });
    expect(seen.head).toBe(null);
    expect(server.sent.at(-1)).toMatchObject({ id: 1, error: { code: -32601 } });
    server.say({
      jsonrpc: "2.0",
      id: server.sent.find(({ method }) => method === "tools/call").id,
      result: {},
    });
    await seen.done;
    expect(seen.messages).toHaveLength(1);
  });

  it("a client's notification can't touch what others have under way", async () => {
    const { native, channels } = fixture();
    const message = { ...call("a"), id: 2 };
    const seen = exchange(native, stateless(message), { era });
    await sleep(5);
    const before = channels[0]!.sent.length;
    for (const requestId of [1, 2, 3]) {
      const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } };
      expect((await asked(native, cancelled, { era })).head?.status).toBe(202);
    }
    expect((await asked(native, { jsonrpc: "2.0", id: 1, result: {} }, { era })).head?.status).toBe(400);
    expect(channels[0]!.sent).toHaveLength(before);
    expect(seen.failure).toBe(null);
  });

  it("ends when nobody uses it, and opens again; our own subscription does not keep it", async () => {
    const { native, channels } = fixture();
    let changes = 0;
    native.onToolsChanged(() => {
      changes += 1;
    });
    for (const at of [0, 1]) {
      const seen = exchange(native, stateless(call("a")), { era });
      await sleep(5);
      const server = channels[at]!;
      server.say({
        jsonrpc: "2.0",
        id: server.sent.find(({ method }) => method === "tools/call").id,
        result: {},
      });
      await seen.done;
      expect(server.sent.some(({ method }) => method === "subscriptions/listen")).toBe(true);
      await sleep(60);
      expect(server.closed).toBe(true);
    }
    // What is started again may have other tools.
    expect(changes).toBe(1);
  });
});
