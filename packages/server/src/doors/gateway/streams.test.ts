import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { allEvents, callOf, json, legacy, repeats, stateless } from "./testing/requests.ts";
import { lastEnd, send, stand, upstream } from "./testing/scene.ts";
import { OTHER_TOKEN, TOKEN } from "./testing/stand.ts";
import { held, listen, note, RESULT, sendCall, session } from "./testing/streaming.ts";
import { answersWith, streams } from "./testing/test-upstream.ts";

describe("a streamed answer", () => {
  it("is an event for each message, in their order and bytes", async () => {
    const sampling = '{"jsonrpc":"2.0","id":"s1","method":"sampling/createMessage","params":{}}';
    upstream.onSend = streams(note(1), note(2, { text: "ü\\n" }), sampling, RESULT);
    const answer = await sendCall();
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    expect(answer.headers.get("x-accel-buffering")).toBe("no");
    expect(answer.headers.get("cache-control")).toBe("no-store");
    const text = await answer.text();
    expect(text).toBe(
      [note(1), note(2, { text: "ü\\n" }), sampling, RESULT.replace("$id", "7")]
        .map((data) => `event: message\ndata: ${data}\n\n`)
        .join(""),
    );
    expect(lastEnd()).toMatchObject({ ran: "yes", problem: null });
  });

  it("shows nothing before the decision is recorded, and nothing at all when it can't be", async () => {
    const gate = Promise.withResolvers<string>();
    stand.gateway.record = () => gate.promise;
    upstream.onSend = streams(note(1), RESULT);
    const open = sendCall();
    await expect.poll(() => upstream.requests.length).toBe(1);
    expect(await Promise.race([open, sleep(150, "nothing yet")])).toBe("nothing yet");
    gate.resolve("led_1");
    expect(await allEvents(await open)).toHaveLength(2);
    stand.gateway.record = () => Promise.reject(new Error("no ledger"));
    const failed = await json(sendCall());
    expect(failed).toMatchObject({ status: 503, body: { id: 7, error: { code: -32603 } } });
  });

  it("lists only what the grant may see", async () => {
    const listed =
      '{"jsonrpc":"2.0","id":$id,"result":{"tools":[{"name":"a"},{"name":"secret"}],"cacheScope":"public"}}';
    const other = '{"jsonrpc":"2.0","id":99,"result":{"tools":[{"name":"secret"}]}}';
    upstream.onSend = streams(note(1), other, listed);
    const answer = await send(stateless("tools/list"), repeats("tools/list"));
    const [, stray, last] = await allEvents(answer);
    expect(stray?.data.result.tools).toEqual([]);
    expect(last?.data.result).toEqual({ tools: [{ name: "a" }], cacheScope: "private" });
  });

  it("that breaks off is answered on the stream", async () => {
    upstream.onSend = (_request, listener) => {
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      void Promise.resolve(listener.onMessage({ text: note(1), eventId: null })).then(() =>
        listener.onFailure({ kind: "broken", status: 200, ran: "maybe", message: "secret.internal" }),
      );
    };
    const events = await allEvents(await sendCall());
    expect(events.at(-1)?.data).toMatchObject({ id: 7, error: { code: -32603 } });
    expect(JSON.stringify(events)).not.toContain("secret");
    upstream.onSend = streams(note(1), "no JSON", RESULT);
    const broken = await allEvents(await sendCall());
    expect(broken.map(({ data }) => data.method ?? data.error?.code)).toEqual([
      "notifications/progress",
      -32603,
    ]);
  });

  it("waits for a client that does not read", async () => {
    let sent = 0;
    const large = note(1, { text: "x".repeat(256 * 1024) });
    upstream.onSend = ({ message }, listener) => {
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      void (async () => {
        for (; sent < 200; sent++) await listener.onMessage({ text: large, eventId: null });
        await listener.onMessage({ text: RESULT.replace("$id", String(message.id)), eventId: null });
        listener.onEnd();
      })();
    };
    const answer = await sendCall();
    const reader = answer.body!.getReader();
    await reader.read();
    for (let before = -1; before !== sent; await sleep(200)) before = sent;
    expect(sent).toBeLessThan(150);
    let bytes = 0;
    for (let read = await reader.read(); !read.done; read = await reader.read()) bytes += read.value.length;
    expect(sent).toBe(200);
    expect(bytes).toBeGreaterThan(199 * 256 * 1024);
  });

  it("begins though nothing is said yet, and gives signs of life", async () => {
    const under = held();
    const open = sendCall();
    const { listener } = await under;
    listener.onHead({ status: 200, sessionId: null, streaming: true });
    const answer = await open;
    expect(answer.headers.get("content-type")).toBe("text/event-stream");
    await listener.onMessage({ text: RESULT.replace("$id", "7"), eventId: null });
    listener.onEnd();
    expect(await allEvents(answer)).toHaveLength(1);
  });
});

describe("an end from outside", () => {
  it("a client that goes away cancels what it asked for", async () => {
    const under = held();
    const client = new AbortController();
    const open = sendCall({ signal: client.signal });
    open.catch(() => {});
    const { request } = await under;
    expect(request.signal.aborted).toBe(false);
    client.abort();
    await expect.poll(() => request.signal.aborted).toBe(true);
    await expect.poll(lastEnd).toMatchObject({ ran: "maybe", problem: "broken" });
  });

  it("what a person approved runs on, and its result is kept", async () => {
    stand.gateway.keepsResult = true;
    const under = held();
    const client = new AbortController();
    sendCall({ signal: client.signal }).catch(() => {});
    const { request, listener } = await under;
    client.abort();
    await sleep(2 * limits.recheckMs + 200);
    expect(request.signal.aborted).toBe(false);
    listener.onHead({ status: 200, sessionId: null, streaming: false });
    await listener.onMessage({ text: RESULT.replace("$id", "7"), eventId: null });
    listener.onEnd();
    await expect.poll(lastEnd).toEqual({ ran: "yes", status: 200, problem: null, result: '{"content":[]}' });
  });

  it("a revoked grant gets no answer any more, on a stream or without", async () => {
    const first = held();
    const plain = sendCall();
    const one = await first;
    const second = held();
    const streaming = sendCall();
    const other = await second;
    other.listener.onHead({ status: 200, sessionId: null, streaming: true });
    await other.listener.onMessage({ text: note(1), eventId: null });
    const stream = await streaming;
    const startedMs = performance.now();
    stand.gateway.revoked.add(`gra_${TOKEN}`);
    expect((await plain).status).toBe(401);
    const events = await allEvents(stream);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(events.at(-1)?.data).toMatchObject({ id: 7, error: { code: -32603 } });
    expect([one.request.signal.aborted, other.request.signal.aborted]).toEqual([true, true]);
    await expect.poll(() => stand.gateway.ends.length).toBe(2);
  });

  it("a client that is gone before its call went up: then it does not", async () => {
    const judging = Promise.withResolvers<null>();
    const reaching = Promise.withResolvers<typeof stand.reached>();
    const goneWhile = async (begun: () => boolean) => {
      const client = new AbortController();
      sendCall({ signal: client.signal }).catch(() => {});
      await expect.poll(begun).toBe(true);
      client.abort();
      await sleep(50);
    };
    stand.gateway.verdict = () => judging.promise as never;
    await goneWhile(() => stand.gateway.judged.length === 1);
    judging.resolve(null);
    await expect.poll(lastEnd).toMatchObject({ ran: "no" });
    stand.gateway.verdict = () => null;
    let asked = false;
    stand.reach = () => {
      asked = true;
      return reaching.promise;
    };
    await goneWhile(() => asked);
    reaching.resolve(upstream);
    await expect.poll(() => stand.gateway.ends.map(({ end }) => end.ran)).toEqual(["no", "no"]);
    expect(upstream.requests).toEqual([]);
  });

  it("where nobody knows whether the grant holds, nothing goes on, and no token is called bad", async () => {
    const first = held();
    const one = sendCall();
    await first;
    stand.gateway.stillHolds = () => Promise.reject(new Error("no database"));
    const startedMs = performance.now();
    expect((await one).status).toBe(503);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    stand.gateway.stillHolds = () => new Promise(() => {});
    const second = held();
    const other = sendCall();
    await second;
    await sleep(2 * limits.recheckMs);
    stand.skewMs = limits.recheckAnswerMs;
    expect((await other).status).toBe(503);
    expect(performance.now() - startedMs).toBeLessThan(4_000);
  });

  it("an upstream that never ends after its answer is left, and its place is free again", async () => {
    upstream.onSend = ({ message }, listener) => {
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      void listener.onMessage({ text: RESULT.replace("$id", String(message.id)), eventId: null });
    };
    const answers = await Promise.all(Array.from({ length: limits.requestsPerGrant }, () => sendCall()));
    for (const answer of answers) expect(await allEvents(answer)).toHaveLength(1);
    await expect.poll(() => sendCall().then(({ status }) => status), { timeout: 5_000 }).toBe(200);
  });

  it("the door closes: streams end, answers still come", async () => {
    const under = held();
    const plain = sendCall();
    const { listener } = await under;
    const id = await session();
    upstream.onListen = (_session, to) => to.onHead({ status: 200, sessionId: null, streaming: true });
    const listening = await listen(id);
    const closed = stand.lane.close();
    expect(await allEvents(listening)).toEqual([]);
    listener.onHead({ status: 200, sessionId: null, streaming: false });
    void listener.onMessage({ text: RESULT.replace("$id", "7"), eventId: null });
    listener.onEnd();
    expect((await plain).status).toBe(200);
    expect((await sendCall()).status).toBe(503);
    await closed;
  });
});

describe("a request that its client takes back", () => {
  const cancel = (sessionId: string, requestId: unknown) =>
    send(
      { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } },
      { "mcp-session-id": sessionId },
    );

  it("ends, and no other's does", async () => {
    const [id, other] = [await session(), await session(TOKEN, "up-2")];
    const bobs = await session(OTHER_TOKEN);
    const under = held();
    const open = send(legacy("tools/call", callOf("echo")), { "mcp-session-id": id });
    const { request } = await under;
    upstream.onSend = answersWith({});
    for (const [sessionId, requestId] of [
      [other, "a1"],
      [id, "a2"],
      [bobs, "a1"],
    ] as const) {
      const token = sessionId === bobs ? OTHER_TOKEN : TOKEN;
      const told = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId } };
      expect(
        (await send(told, { "mcp-session-id": sessionId, authorization: `Bearer ${token}` })).status,
      ).toBe(202);
    }
    expect(request.signal.aborted).toBe(false);
    expect((await cancel(id, "a1")).status).toBe(202);
    expect(await json(open)).toMatchObject({ status: 200, body: { id: "a1", error: { code: -32603 } } });
    expect(request.signal.aborted).toBe(true);
    expect(upstream.requests.at(-1)).toMatchObject({ message: { method: "notifications/cancelled" } });
    await expect.poll(() => stand.gateway.ends.map(({ end }) => end.problem)).toContain("broken");
  });

  it("goes on when a person has approved it", async () => {
    const id = await session();
    stand.gateway.keepsResult = true;
    const under = held();
    const open = send(legacy("tools/call", callOf("echo")), { "mcp-session-id": id });
    const { request, listener } = await under;
    upstream.onSend = answersWith({});
    await cancel(id, "a1");
    expect(request.signal.aborted).toBe(false);
    listener.onHead({ status: 200, sessionId: null, streaming: false });
    await listener.onMessage({ text: '{"jsonrpc":"2.0","id":"a1","result":{}}', eventId: null });
    listener.onEnd();
    expect((await json(open)).body.result).toEqual({});
  });
});
