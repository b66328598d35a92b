import { once } from "node:events";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { UpstreamListener } from "../../engines/upstream/types.ts";
import { limits } from "./limits.ts";
import { allEvents, callOf, eventsOf, legacy, repeats, stateless } from "./testing/requests.ts";
import { send, stand, upstream } from "./testing/scene.ts";
import { EMPTY_TOKEN, OTHER_TOKEN, TOKEN } from "./testing/stand.ts";
import { held, listen, note, RESULT, sendCall, session } from "./testing/streaming.ts";
import { answersWith, streams } from "./testing/test-upstream.ts";

describe("sessions", () => {
  it("have an id of ours, which is the upstream's again on the way up, for this grant alone", async () => {
    const id = await session();
    expect(id).not.toContain("up-1");
    const call = legacy("tools/call", callOf("echo"));
    expect((await send(call, { "mcp-session-id": id })).status).toBe(200);
    expect(upstream.requests.at(-1)?.sessionId).toBe("up-1");
    expect(stand.gateway.judged.at(-1)?.sessionId).toBe("up-1");
    const before = upstream.requests.length;
    const forged = [
      { "mcp-session-id": "up-1" },
      { "mcp-session-id": `${id}x` },
      { "mcp-session-id": id, authorization: `Bearer ${OTHER_TOKEN}` },
    ];
    for (const headers of forged) {
      const answer = await send(call, headers as unknown as Record<string, string>);
      expect(answer.status).toBe(404);
      expect((await listen(id, headers as unknown as Record<string, string>)).status).toBe(404);
    }
    expect(upstream.requests).toHaveLength(before);
    expect(stand.gateway.notes.every(({ outcome }) => outcome === "error")).toBe(true);
  });

  it("that the upstream has lost are lost to the client too", async () => {
    const id = await session();
    upstream.onSend = (_request, listener) =>
      listener.onFailure({ kind: "refused", status: 404, ran: "no", message: "" });
    const call = legacy("tools/call", callOf("echo"));
    expect((await send(call, { "mcp-session-id": id })).status).toBe(404);
    expect((await send({ jsonrpc: "2.0", method: "notifications/x" }, { "mcp-session-id": id })).status).toBe(
      404,
    );
  });

  it("get their id with a streamed handshake too, however late it is", async () => {
    const under = held();
    const open = send(legacy("initialize", { protocolVersion: "2025-11-25" }));
    const { listener } = await under;
    listener.onHead({ status: 200, sessionId: "up-9", streaming: true });
    const answer = await open;
    await listener.onMessage({ text: '{"jsonrpc":"2.0","id":"a1","result":{}}', eventId: null });
    listener.onEnd();
    await allEvents(answer);
    const id = answer.headers.get("mcp-session-id")!;
    upstream.onSend = answersWith({ content: [] });
    await send(legacy("ping"), { "mcp-session-id": id });
    expect(upstream.requests.at(-1)?.sessionId).toBe("up-9");
  });

  it("end when the client says so", async () => {
    const id = await session();
    const end = (headers: Record<string, string>) =>
      fetch(stand.proxyUrl, { method: "DELETE", headers: { authorization: `Bearer ${TOKEN}`, ...headers } });
    expect((await end({ "mcp-session-id": id })).status).toBe(204);
    expect(upstream.ended).toEqual(["up-1"]);
    expect((await end({ "mcp-session-id": "x" })).status).toBe(404);
    expect((await end({})).status).toBe(405);
    expect(stand.gateway.notes.map(({ method, outcome }) => [method, outcome])).toEqual([
      ["(end)", "allow"],
      ["(end)", "error"],
      ["(end)", "error"],
    ]);
  });
});

describe("a stream that listens", () => {
  it("passes on what the server says by itself, lists only as the grant may see them", async () => {
    const id = await session();
    let listener!: UpstreamListener;
    upstream.onListen = (_session, to) => {
      listener = to;
      to.onHead({ status: 200, sessionId: null, streaming: true });
    };
    const answer = await listen(id, { "mcp-protocol-version": "2025-11-25", cookie: "a=b" });
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    expect(upstream.listens[0]).toMatchObject({
      sessionId: "up-1",
      lastEventId: null,
      headers: { "mcp-protocol-version": "2025-11-25" },
    });
    const changed = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}';
    const result = (tools: unknown) => JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools } });
    const texts = [
      changed,
      result([{ name: "secret" }, { name: "a" }]),
      result({ secret: 1 }),
      "no JSON",
      note(2),
    ];
    const passed = Promise.all(texts.map((text) => listener.onMessage({ text, eventId: null })));
    listener.onEnd();
    const events = await allEvents(answer);
    await passed;
    expect(events.map(({ data }) => data.method ?? data.result)).toEqual([
      "notifications/tools/list_changed",
      { tools: [{ name: "a" }] },
      "notifications/progress",
    ]);
    expect(stand.gateway.notes).toMatchObject([{ method: "(listen)", outcome: "allow" }]);
  });

  it("is taken up again where it broke, and only by whom it belongs to", async () => {
    const id = await session();
    upstream.onSend = streams(["ev-ü 1", note(1)], ["ev-2", RESULT]);
    const answer = await send(legacy("tools/call", callOf("echo")), { "mcp-session-id": id });
    const [first] = await allEvents(answer);
    expect(first?.id).not.toContain("ev-");
    upstream.onListen = (_session, to) => {
      to.onHead({ status: 200, sessionId: null, streaming: true });
      void to.onMessage({ text: note(3), eventId: "ev-3" });
      to.onEnd();
    };
    const again = await allEvents(await listen(id, { "last-event-id": first!.id! }));
    expect(upstream.listens.at(-1)?.lastEventId).toBe("ev-ü 1");
    expect(again).toHaveLength(1);
    const other = await session(TOKEN, "up-2");
    const bobs = await session(OTHER_TOKEN, "up-1");
    const listens = upstream.listens.length;
    expect((await listen(other, { "last-event-id": first!.id! })).status).toBe(400);
    expect((await listen(id, { "last-event-id": "ev-2" })).status).toBe(400);
    const asBob = { "last-event-id": first!.id!, authorization: `Bearer ${OTHER_TOKEN}` };
    expect((await listen(bobs, asBob)).status).toBe(400);
    expect(upstream.listens).toHaveLength(listens);
  });

  it("is not there where the server has none, or there is no session", async () => {
    const id = await session();
    expect((await listen(id)).status).toBe(405);
    expect((await listen(id, { "mcp-protocol-version": "2026-07-28" })).status).toBe(405);
    expect((await fetch(stand.proxyUrl, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(405);
    expect((await listen(id, { authorization: `Bearer ${EMPTY_TOKEN}` })).status).toBe(405);
    upstream.onListen = (_session, to) =>
      to.onFailure({ kind: "connect", status: null, ran: "no", message: "secret" });
    const failed = await listen(id);
    expect(failed.status).toBe(502);
    expect(await failed.text()).not.toContain("secret");
  });

  it("ends at once when the grant is revoked, and frees the upstream's when the client goes", async () => {
    const id = await session();
    upstream.onListen = (_session, to) => to.onHead({ status: 200, sessionId: null, streaming: true });
    const client = new AbortController();
    const answer = await listen(id, {}, { signal: client.signal });
    await listen(id);
    client.abort();
    await expect.poll(() => upstream.listens[0]?.signal.aborted).toBe(true);
    expect(upstream.listens[1]?.signal.aborted).toBe(false);
    const startedMs = performance.now();
    stand.gateway.revoked.add(`gra_${TOKEN}`);
    await expect.poll(() => upstream.listens[1]?.signal.aborted).toBe(true);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    await answer.text().catch(() => {});
  });

  it("is not opened when that can't be recorded", async () => {
    const id = await session();
    stand.gateway.noted = () => Promise.reject(new Error("no ledger"));
    expect((await listen(id)).status).toBe(500);
    expect(upstream.listens).toEqual([]);
  });

  it("so many for a grant, those of the newer revision among them", async () => {
    const id = await session();
    upstream.onListen = (_session, to) => to.onHead({ status: 200, sessionId: null, streaming: true });
    upstream.onSend = (_request, to) => to.onHead({ status: 200, sessionId: null, streaming: true });
    const open: Response[] = [];
    for (let at = 0; at < limits.streamsPerGrant - 1; at++) open.push(await listen(id));
    open.push(await send(stateless("subscriptions/listen"), repeats("subscriptions/listen")));
    const refused = [
      await listen(id),
      await send(stateless("subscriptions/listen"), repeats("subscriptions/listen")),
    ];
    for (const answer of refused) {
      expect(answer.status).toBe(429);
      expect(await answer.json()).toMatchObject({ error: { code: "GATEWAY_STREAMS_BUSY" } });
    }
    expect(await stand.limitsHit("gateway_streams_per_grant")).toBe(2);
    upstream.onSend = answersWith({ content: [] });
    expect((await sendCall()).status).toBe(200);
    for (const left of [open.shift(), open.pop()]) {
      await left!.body!.cancel();
      await expect.poll(() => listen(id).then(({ status }) => status), { timeout: 5_000 }).toBe(200);
    }
  });

  it("says that it lives", async () => {
    const id = await session();
    upstream.onListen = (_session, to) => to.onHead({ status: 200, sessionId: null, streaming: true });
    const request = get(stand.proxyUrl, {
      headers: { authorization: `Bearer ${TOKEN}`, "mcp-session-id": id },
    });
    const [response] = await once(request, "response");
    const chunks: string[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(String(chunk)));
    stand.skewMs = limits.keepAliveMs - 5_000;
    await sleep(2 * limits.recheckMs);
    expect(chunks).toEqual([]);
    stand.skewMs = limits.keepAliveMs;
    await expect.poll(() => chunks).toEqual([": alive\n\n"]);
    request.destroy();
  });
});

describe("a request of the server's in the midst of a call", () => {
  it("goes down, and its answer up in the same session", async () => {
    const id = await session();
    const under = held();
    const open = send(legacy("tools/call", callOf("echo")), { "mcp-session-id": id });
    const { listener } = await under;
    listener.onHead({ status: 200, sessionId: null, streaming: true });
    const asks = '{"jsonrpc":"2.0","id":"s1","method":"elicitation/create","params":{}}';
    await listener.onMessage({ text: asks, eventId: null });
    const events = eventsOf(await open);
    expect((await events.next()).value?.data).toMatchObject({ id: "s1" });
    upstream.onSend = answersWith({});
    const answered = { jsonrpc: "2.0", id: "s1", result: { action: "accept" } };
    expect((await send(answered, { "mcp-session-id": id })).status).toBe(202);
    expect(upstream.requests.at(-1)).toMatchObject({ message: answered, sessionId: "up-1" });
    expect(stand.gateway.judged.at(-1)?.method).toBe("(response)");
    await listener.onMessage({ text: '{"jsonrpc":"2.0","id":"a1","result":{}}', eventId: null });
    listener.onEnd();
    expect((await events.next()).value?.data).toMatchObject({ id: "a1" });
  });
});
