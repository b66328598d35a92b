import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLog } from "../../../kernel/log.ts";
import { createConversation } from "./conversation.ts";
import { channelLimits } from "./limits.ts";
import { exchange, type Seen } from "./testing/exchange.ts";
import { scripted } from "./testing/scripted.ts";

const seed = 20_261_122;
const log = createLog("silent");

const id: fc.Arbitrary<string | number> = fc.oneof(
  fc.nat(3),
  fc.constantFrom("1", "2", "a", ""),
  fc.constant(1.5),
);
const token = fc.option(fc.oneof(fc.nat(3), fc.constantFrom("1", "2", "t")), { nil: undefined });
/** A caller: what it calls its request, what its server will say before the answer, and whether it gives up. */
const caller = fc.record({
  id,
  token,
  progress: fc.nat(3),
  end: fc.constantFrom("result", "error", "abort", "cancel", "none"),
  slow: fc.boolean(),
});
type Caller = typeof caller extends fc.Arbitrary<infer T> ? T : never;

interface Step {
  readonly of: number;
  readonly kind: "send" | "progress" | "end" | "noise";
}

/** The steps of all callers, each caller's in its order, mixed by the numbers. */
function interleaved(callers: readonly Caller[], picks: readonly number[]): Step[] {
  const left = callers.map((one, of): Step[] => [
    { of, kind: "send" },
    ...Array.from(
      { length: one.token === undefined ? 0 : one.progress },
      (): Step => ({ of, kind: "progress" }),
    ),
    { of, kind: "end" },
    { of, kind: "noise" },
  ]);
  const steps: Step[] = [];
  for (let at = 0; left.some((rest) => rest.length > 0); at++) {
    const open = left.filter((rest) => rest.length > 0);
    steps.push(open[(picks[at % picks.length] ?? 0) % open.length]!.shift()!);
  }
  return steps;
}

function start(callers: readonly Caller[]) {
  const server = scripted();
  const others: unknown[] = [];
  const conversation = createConversation({
    channel: server.channel,
    limits: { ...channelLimits, cancelGraceMs: 1 },
    log,
    onOther: ({ parsed }) => others.push(parsed),
    onClose: () => {},
    waitsForClient: () => false,
  });
  const how = { sessionId: null, silenceMs: null };
  const callerOf = callers.map((one, n) => {
    const abort = new AbortController();
    let seen: Seen | null = null;
    const send = () => {
      const params = {
        n,
        ...(one.token === undefined ? {} : { _meta: { progressToken: one.token, other: n } }),
      };
      const upstream = {
        send: (asked: any, listener: any) =>
          conversation.request(asked.message, listener, { ...how, signal: abort.signal }),
      };
      const read = one.slow ? () => Promise.resolve() : undefined;
      const message = { jsonrpc: "2.0", id: one.id, method: "call", params };
      seen = exchange(upstream, message, read ? { read } : {});
    };
    return { one, abort, send, seen: () => seen! };
  });
  return { server, others, conversation, callers: callerOf };
}

describe("any interleaving of requests over one channel", () => {
  it("gives every caller exactly its own answers, under its own names", async () => {
    const given = fc.tuple(
      fc.array(caller, { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(), { minLength: 1 }),
    );
    await fc.assert(
      fc.asyncProperty(given, async ([plan, picks]) => {
        const { server, others, conversation, callers } = start(plan);
        const wireOf = (n: number) =>
          server.sent.find(({ params }) => params?.n === n && params.requestId === undefined);
        const said = callers.map(() => 0);
        for (const { of, kind } of interleaved(plan, picks)) {
          const { one, abort, send } = callers[of]!;
          if (kind === "send") {
            send();
            expect(wireOf(of).params._meta?.other).toBe(one.token === undefined ? undefined : of);
            continue;
          }
          const wire = wireOf(of);
          if (kind === "progress") {
            said[of]! += 1;
            const params = { progressToken: wire.params._meta.progressToken, progress: said[of], of };
            server.say({ jsonrpc: "2.0", method: "notifications/progress", params });
          } else if (kind === "noise") {
            // After its end: nobody may hear of it.
            server.say({
              jsonrpc: "2.0",
              id: wire.id,
              result: { of, late: one.end === "result" || one.end === "error" },
            });
            server.say({ jsonrpc: "2.0", id: `${wire.id}`, result: { of, wrong: true } });
          } else if (one.end === "result")
            server.say({ jsonrpc: "2.0", result: { of, late: false }, id: wire.id });
          else if (one.end === "error")
            server.say({ jsonrpc: "2.0", id: wire.id, error: { code: of, message: "e" } });
          else if (one.end === "abort") abort.abort();
          else if (one.end === "cancel")
            conversation.cancel({ method: "notifications/cancelled", params: { requestId: one.id } });
        }
        server.die();
        await Promise.all(callers.map(({ seen }) => seen().done));
        callers.forEach(({ one, seen }, of) => {
          const { messages, failure } = seen();
          for (const message of messages) {
            const isProgress = message.method === "notifications/progress";
            expect(isProgress ? message.params.of : (message.result?.of ?? message.error?.code)).toBe(of);
            if (isProgress) expect(message.params.progressToken).toBe(one.token);
            else expect(message.id).toBe(one.id);
          }
          const progress = messages.filter(({ method }) => method !== undefined);
          expect(progress.map(({ params }) => params.progress)).toEqual(progress.map((_, n) => n + 1));
          const answers = messages.filter(({ method }) => method === undefined);
          if (one.end === "result" || one.end === "error") {
            // Who has the same id may have cancelled it.
            const cancellers = plan.filter((other) => other.end === "cancel" && other.id === one.id);
            if (failure !== null) expect(cancellers.length).toBeGreaterThan(0);
            else {
              expect(answers).toHaveLength(1);
              expect(answers[0].result?.late ?? false).toBe(false);
              expect(progress).toHaveLength(one.token === undefined ? 0 : one.progress);
            }
          } else if (one.end === "abort") expect(answers).toHaveLength(0);
        });
        expect(others).toEqual([]);
        expect(conversation.underWay).toBe(0);
        const ids = server.sent.filter(({ method }) => method === "call").map((message) => message.id);
        expect(new Set(ids).size).toBe(plan.length);
        for (const { method, params } of server.sent)
          if (method === "notifications/cancelled") expect(ids).toContain(params.requestId);
      }),
      { seed, numRuns: 500 },
    );
  });
});

describe("one conversation", () => {
  const one: Caller = { id: 1, token: "t", progress: 0, end: "result", slow: false };

  it("passes an answer on in its own bytes but for the id", async () => {
    const { server, callers } = start([{ ...one, id: "x y" }]);
    callers[0]!.send();
    server.say('{ "result" : {"n":1.0, "big":12345678901234567890} ,"jsonrpc":"2.0", "id" : 1 }');
    await callers[0]!.seen().done;
    expect(callers[0]!.seen().texts[0]).toBe(
      '{ "result" : {"n":1.0, "big":12345678901234567890} ,"jsonrpc":"2.0", "id" : "x y" }',
    );
  });

  it("an id that is there twice is written anew, and only once", async () => {
    const { server, callers } = start([one]);
    callers[0]!.send();
    server.say('{"id":9,"result":{},"id":1}');
    await callers[0]!.seen().done;
    expect(callers[0]!.seen().texts[0]).toBe('{"id":1,"result":{}}');
  });

  it("nonsense, batches and answers without an id reach nobody", async () => {
    const { server, others, callers } = start([one]);
    callers[0]!.send();
    for (const text of [
      "[]",
      "null",
      "1",
      "{",
      "{}",
      '{"id":1}',
      '{"id":null,"result":1}',
      '{"id":{},"method":"m"}',
    ])
      server.say(text);
    expect(callers[0]!.seen().head).toBe(null);
    expect(others).toEqual([]);
    server.die();
    expect(callers[0]!.seen().failure).toMatchObject({ kind: "broken", ran: "maybe" });
  });

  it("what is sent after the channel died never ran", async () => {
    const { server, callers } = start([one]);
    server.die();
    callers[0]!.send();
    expect(callers[0]!.seen().failure).toMatchObject({ ran: "no" });
  });

  it("an answer that was too large fails who waited for it, and nobody else", async () => {
    const { server, callers } = start([one, { ...one, id: 2 }]);
    for (const { send } of callers) send();
    server.tooLarge(server.sent[0].id);
    expect(callers[0]!.seen().failure).toMatchObject({ kind: "too_large", ran: "maybe" });
    expect(callers[1]!.seen().failure).toBe(null);
    server.die();
  });
});
