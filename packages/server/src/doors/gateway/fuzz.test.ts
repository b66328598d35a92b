import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { callOf, legacy, raw } from "./testing/requests.ts";
import { SERVER_ID, type Stand, startStand, TOKEN } from "./testing/stand.ts";
import { TestUpstream } from "./testing/test-upstream.ts";

/** Change it to look elsewhere; a failure prints how to repeat it. */
const SEED = Number(process.env.AMBIT_SEED ?? 20_261_122);
const RUNS = Number(process.env.AMBIT_STEPS ?? 1_500);

let upstream: TestUpstream;
let stand: Stand;
beforeAll(async () => {
  upstream = new TestUpstream();
  stand = await startStand({ upstream });
});
afterAll(() => stand.stop());
beforeEach(() => {
  upstream.requests.length = 0;
  stand.gateway.judged.length = 0;
});

/** What goes up must have been judged, in these very words; what is denied must not. */
function everythingForwardedWasJudged(): void {
  const judged = stand.gateway.judged.map(({ method, tool, args }) => JSON.stringify([method, tool, args]));
  for (const { message } of upstream.requests) {
    const method = message.method === undefined ? "(response)" : message.method;
    const { name, arguments: args = {} } = (message.params ?? {}) as { name?: string; arguments?: object };
    const isCall = method === "tools/call";
    expect(judged).toContain(JSON.stringify([method, isCall ? name : null, isCall ? args : null]));
    if (isCall) {
      expect(name).not.toBe("secret");
      const { amount: sum } = args as { amount?: unknown };
      if (name === "pay" && sum !== undefined && sum !== null) expect(sum).toBeLessThanOrEqual(100);
    }
  }
}

const head = (length: string, more = "") =>
  `POST /mcp/${SERVER_ID}/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\n${length}${more}\r\n\r\n`;

const HTTP = /^HTTP\/1\.1 (\d{3}) /;

/** Sends a body whole or in odd pieces, chunked or not; it may claim to be longer than it is. */
async function deliver(body: Uint8Array, cuts: readonly number[], chunked: boolean, missing: number) {
  const places = [...new Set(cuts.map((cut) => cut % (body.length + 1)))].sort((a, b) => a - b);
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const place of [...places, body.length]) {
    if (place > from) pieces.push(body.subarray(from, place));
    from = place;
  }
  const ends = missing > 0;
  if (!chunked) return raw(stand.port, [head(`content-length: ${body.length + missing}`), ...pieces], ends);
  const framed = pieces.flatMap((piece) => [`${piece.length.toString(16)}\r\n`, piece, "\r\n"]);
  const last = ends ? [] : ["0\r\n\r\n"];
  return raw(stand.port, [head("transfer-encoding: chunked"), ...framed, ...last], ends);
}

const toolName = fc.constantFrom("pay", "secret", "echo", "größe", "__proto__", "constructor");
const amount = fc.constantFrom(
  "1",
  "100",
  "101",
  "1e2",
  "1e3",
  "1e999",
  "-0",
  "9007199254740993",
  '"9e9"',
  "null",
  "[101]",
);
const args = fc.oneof(
  amount.map((value) => `{"amount":${value}}`),
  fc.tuple(amount, amount).map(([a, b]) => `{"amount":${a},"amount":${b}}`),
  fc.tuple(amount, amount).map(([a, b]) => `{"amount":${a},"\\u0061mount":${b}}`),
  fc.tuple(amount, amount).map(([a, b]) => `{"__proto__":{"amount":${a}},"amount":${b}}`),
  fc.nat(150).map((depth) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`),
  fc.json({ maxDepth: 3 }),
);
const member = fc.oneof(
  toolName.map((name) => `"name":"${name}"`),
  args.map((text) => `"arguments":${text}`),
  toolName.map((name) => `"Name":"${name}"`),
  toolName.map((name) => `"n\\u0061me":"${name}"`),
  fc.constantFrom('"_meta":{}', '"_meta":7', '"requestState":"x"', '"ARGUMENTS":{"amount":101}'),
);
const params = fc.array(member, { maxLength: 4 }).map((members) => `{${members.join(",")}}`);
const outer = fc.oneof(
  fc.constantFrom('"jsonrpc":"2.0"', '"jsonrpc":"2.0"', '"id":1', '"id":"x"', '"id":null', '"id":[1]'),
  fc.constantFrom(
    '"method":"tools/call"',
    '"method":"tools/call"',
    '"method":"tools/list"',
    '"method":"ping"',
  ),
  fc.constantFrom('"METHOD":"tools/call"', '"result":{}', '"error":{"code":1,"message":""}', '"params":[]'),
  params.map((text) => `"params":${text}`),
);
const plausible = fc
  .tuple(toolName, args)
  .map(
    ([name, given]) =>
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":${given}}}`,
  );
const message = fc.oneof(
  { weight: 8, arbitrary: plausible },
  { weight: 3, arbitrary: fc.array(outer, { maxLength: 7 }).map((members) => `{${members.join(",")}}`) },
  { weight: 1, arbitrary: fc.array(plausible, { maxLength: 3 }).map((all) => `[${all.join(",")}]`) },
  { weight: 1, arbitrary: fc.json() },
);
const spoiled = fc
  .tuple(
    message,
    fc.constantFrom("", "", "", "", " ", "\ufeff", "\u0000"),
    fc.constantFrom("", "", "", "", " \n", "}", "\u0000", "{}"),
  )
  .map(([text, before, after]) => new TextEncoder().encode(before + text + after));
const body = fc.oneof(
  { weight: 4, arbitrary: spoiled },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  {
    weight: 2,
    arbitrary: fc.tuple(spoiled, fc.nat(), fc.nat(255)).map(([bytes, at, byte]) => {
      const changed = Uint8Array.from(bytes);
      if (changed.length > 0) changed[at % changed.length] = byte;
      return changed;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(spoiled, fc.nat()).map(([bytes, at]) => bytes.slice(0, at % (bytes.length + 1))),
  },
);

describe("whatever is sent", () => {
  it("gets an answer, and nothing goes up that was not judged", { timeout: 120_000 }, async () => {
    const statuses = new Set<string>();
    let forwarded = 0;
    await fc.assert(
      fc.asyncProperty(
        ...([
          body,
          fc.array(fc.nat(), { maxLength: 5 }),
          fc.boolean(),
          fc.constantFrom(0, 0, 0, 0, 0, 7),
        ] as const),
        async (bytes, cuts, chunked, missing) => {
          upstream.requests.length = 0;
          stand.gateway.judged.length = 0;
          const answer = await deliver(bytes, cuts, chunked, missing);
          const status = HTTP.exec(answer)?.[1];
          expect(status, `${answer.slice(0, 200)} for ${Buffer.from(bytes)}`).toBeDefined();
          statuses.add(status!);
          expect(upstream.requests.length).toBeLessThanOrEqual(missing > 0 ? 0 : 1);
          forwarded += upstream.requests.length;
          everythingForwardedWasJudged();
        },
      ),
      { seed: SEED, numRuns: RUNS },
    );
    // Otherwise it would show nothing: some have to come through, and some not.
    expect(forwarded).toBeGreaterThan(RUNS / 40);
    expect([...statuses]).toEqual(expect.arrayContaining(["200", "400"]));
    expect(stand.logged()).not.toContain("unexpected error");
  });

  it("is answered in headers that make no sense too", async () => {
    const text = JSON.stringify(legacy("tools/call", callOf("secret")));
    const header = fc.tuple(
      fc.constantFrom(
        "mcp-name",
        "mcp-method",
        "mcp-protocol-version",
        "mcp-session-id",
        "last-event-id",
        "accept",
        "mcp-param-x",
        "origin",
      ),
      fc.string({ maxLength: 40 }).map((value) => value.replaceAll(/[^\x20-\x7e]/g, "~")),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(header, { maxLength: 4 }),
        fc.constantFrom("POST", "GET", "DELETE", "PUT"),
        async (all, method) => {
          upstream.requests.length = 0;
          const lines = all.map(([name, value]) => `\r\n${name}: ${value}`).join("");
          const first = head(`content-length: ${text.length}`, lines).replace("POST", method);
          expect(await raw(stand.port, [first, text])).toMatch(HTTP);
          expect(upstream.requests).toEqual([]);
        },
      ),
      { seed: SEED, numRuns: 200 },
    );
  });

  it("many at once do not get each other's answers", async () => {
    upstream.onSend = ({ message: sent }, listener) => {
      const { arguments: given } = sent.params as { arguments: { n: number } };
      setTimeout(() => {
        listener.onHead({ status: 200, sessionId: null, streaming: given.n % 2 === 0 });
        const result = { n: given.n };
        void listener.onMessage({
          text: JSON.stringify({ jsonrpc: "2.0", id: sent.id, result }),
          eventId: null,
        });
        listener.onEnd();
      }, given.n % 7);
    };
    const numbers = Array.from({ length: 150 }, (_, n) => n);
    const answers = await Promise.all(
      numbers.map(async (n) => {
        const text = JSON.stringify({ ...legacy("tools/call", callOf("echo", { n })), id: 1 });
        return raw(stand.port, [head(`content-length: ${text.length}`), text]);
      }),
    );
    for (const n of numbers) expect(answers[n]).toContain(`"result":{"n":${n}}`);
    everythingForwardedWasJudged();
  });
});
