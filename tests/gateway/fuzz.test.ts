import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { ask, call, decisions, eventsIn, requestOf, tally, times } from "./stand/calls.ts";
import { Dice, SEED } from "./stand/dice.ts";
import { body, deliver, pieces, request, statuses } from "./stand/hostile.ts";
import { type Arrival, startUpstream, toolNamed } from "./stand/upstream.ts";
import { type Grant, startWorld, type World } from "./stand/world.ts";

const STEPS = Number(process.env.AMBIT_STEPS ?? 700);
const TOOLS = ["pay", "secret", "echo", "größe", "__proto__", "constructor", "stream"];
const POLICY = {
  version: "1",
  default: "deny",
  hide: ["secret"],
  tools: {
    ...Object.fromEntries(TOOLS.map((name) => [name, {}])),
    pay: { deny_if: [{ conditions: [{ path: "args.amount", op: "gt", value: 100 }] }] },
  },
};

let world: World;
let grant: Grant;
beforeAll(async () => {
  const upstream = await startUpstream(TOOLS.map((name) => toolNamed(name)));
  world = await startWorld({ upstream });
  // Kept values show what exactly was judged.
  grant = await world.grant(POLICY, (await world.register({ capture_values: true })).server_id);
  expect((await call(world.at(grant), "echo")).outcome).toBe("allow");
});
afterAll(() => world?.close());

const owner = () => world.staff.owner.api;
const port = () => Number(new URL(world.urls()[0]!).port);
const path = () => new URL(world.at(grant).url).pathname;
const memoryKb = () =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${world.nodes.server.pid}/status`, "utf8"))![1]);
const alive = async () => {
  expect((await apiAs(world.urls()[0]!, null)("GET", "/health/ready")).status).toBeLessThan(300);
  expect(world.nodes.server.output()).not.toMatch(/unexpected|uncaught|unhandled|heap out of memory/i);
};

/** Names of a call's arguments, in order, as the log has them. */
const keysOf = (args: object): string[] =>
  Object.keys(args)
    .sort()
    .map((key) =>
      (key.length > 100 ? `${key.slice(0, 99)}…` : key).replaceAll("\0", "\ufffd").toWellFormed(),
    );

/** A moment: what came to the upstream and into the log after it is what counts. */
const now = async () => ({
  arrived: world.upstream.arrivals.length,
  id: (await decisions(owner(), `&grant_id=${grant.grant_id}`))[0].decision_id as string,
  at: new Date().toISOString(),
});
type Moment = Awaited<ReturnType<typeof now>>;

const sentSince = ({ arrived }: Moment): Arrival[] =>
  world.upstream.arrivals.slice(arrived).filter(({ method }) => method === "tools/call");
const rowsSince = async ({ id }: Moment): Promise<any[]> =>
  (await decisions(owner(), `&grant_id=${grant.grant_id}`)).filter(({ decision_id }) => decision_id > id);

/** What the upstream got is what was judged and let through: the same calls, and nothing that could be read in two ways. */
async function sentWasJudged(since: Moment): Promise<Arrival[]> {
  const sent = sentSince(since);
  const allowed = (await rowsSince(since)).filter(
    ({ outcome, method }) => outcome === "allow" && method === "tools/call",
  );
  const got = sent.map(({ tool, args }) => `${tool} ${JSON.stringify(keysOf(args))}`);
  const judged = allowed.map(({ tool, argument_keys }) => `${tool} ${JSON.stringify(argument_keys)}`);
  expect(got.sort()).toEqual(judged.sort());
  for (const { text, message } of sent) expect(text).toBe(JSON.stringify(message));
  return sent;
}

/** How many of the calls of `echo` since then were judged as having just this amount, by judging the kept values again. */
async function judgedWith(since: Moment, value: unknown): Promise<number> {
  const echo = { deny_if: [{ conditions: [{ path: "args.amount", op: "eq", value }] }] };
  const document = { version: "1", default: "allow", tools: { echo } };
  const asked = { document, server_id: grant.server_id, grant_id: grant.grant_id, from: since.at };
  const { changed } = must(await owner()("POST", "/v1/gateway/policies/simulate", asked));
  return changed.filter(({ before, after }: any) => before.outcome === "allow" && after.outcome === "deny")
    .length;
}

/** Runs work on many things, some at a time. */
async function inTurns<T>(all: readonly T[], atOnce: number, work: (one: T) => Promise<void>): Promise<void> {
  const queue = [...all];
  await Promise.all(
    times(atOnce, async () => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) await work(next);
    }),
  );
}

describe(`whatever is sent (seed ${SEED})`, () => {
  it("is answered; what went up was judged, in these very words, and nothing else went up", {
    timeout: 120_000,
  }, async () => {
    const dice = new Dice(SEED);
    const since = await now();
    const seen: string[] = [];
    const requests = times(STEPS, () => request(dice, path(), grant.token));
    await inTurns(requests, 6, async (sent) => {
      const got = await deliver(port(), sent);
      const found = statuses(got);
      const text = Buffer.concat(sent.pieces as Buffer[]).toString("latin1");
      expect(found.length, `${text.slice(0, 600)} → ${got.slice(0, 300)}`).toBeGreaterThanOrEqual(1);
      expect(found.length).toBeLessThanOrEqual(sent.answers);
      for (const status of found) expect(Number(status), `${text.slice(0, 600)} → ${got}`).not.toBe(500);
      seen.push(...found);
    });
    const sent = await sentWasJudged(since);
    const amounts = new Map<string, number>();
    for (const { tool, args } of sent) {
      const { amount } = args;
      expect(tool).not.toBe("secret");
      if (tool === "pay" && amount !== undefined && amount !== null) {
        expect([typeof amount, amount <= 100], JSON.stringify(args)).toEqual(["number", true]);
      }
      if (tool !== "echo" || typeof amount !== "number") continue;
      const text = JSON.stringify(amount);
      amounts.set(text, (amounts.get(text) ?? 0) + 1);
    }
    for (const [text, count] of amounts) {
      expect([text, await judgedWith(since, JSON.parse(text))]).toEqual([text, count]);
    }
    const rows = await rowsSince(since);
    expect(rows, "one line for each that was let in").toHaveLength(seen.length);
    const outcomes = tally(rows.map(({ outcome }) => outcome));
    // Otherwise it would show nothing: many have to come through, many to be denied, and many to be refused unread.
    for (const outcome of ["allow", "deny", "error"]) {
      expect(outcomes[outcome], outcome).toBeGreaterThan(STEPS / 10);
    }
    expect(amounts.size).toBeGreaterThan(5);
    expect([...new Set(seen)]).toEqual(expect.arrayContaining(["200", "400"]));
    await alive();
  });

  const CALL = '"jsonrpc":"2.0","id":1,"method":"tools/call"';
  const params = (members: string) => `{${CALL},"params":{${members}}}`;
  const MEANT: Record<string, string | Buffer> = {
    "an argument twice": params('"name":"pay","arguments":{"amount":101,"amount":1}'),
    "an argument twice, once escaped": params('"name":"pay","arguments":{"amount":101,"\\u0061mount":1}'),
    "a name twice": params('"name":"secret","name":"echo"'),
    "params twice": `{${CALL},"params":{"name":"secret"},"params":{"name":"echo"}}`,
    "a method twice": `{"method":"ping",${CALL},"params":{"name":"secret"}}`,
    "a batch": `[${params('"name":"echo"')}]`,
    "a batch of one allowed and one denied": `[${params('"name":"echo"')},${params('"name":"secret"')}]`,
    "a byte order mark": `\ufeff${params('"name":"echo"')}`,
    "something behind it": `${params('"name":"echo"')}{}`,
    "invalid UTF-8": Buffer.concat([
      Buffer.from(`{${CALL},"params":{"name":"echo","arguments":{"a":"`),
      Buffer.from([0xc0, 0xaf]),
      Buffer.from('"}}}'),
    ]),
    "numbers that are none": params('"name":"pay","arguments":{"amount":NaN}'),
    "arguments that are no object": params('"name":"pay","arguments":[101]'),
    "a name that is no text": params('"name":["pay"]'),
    "params that are no object": `{${CALL},"params":["pay"]}`,
    "a member in another case": params('"name":"echo","Name":"secret"'),
    "a method in another case": `{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"echo"}}`,
    "a call without an id": `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}`,
    "a method and a result": `{${CALL},"params":{"name":"echo"},"result":{}}`,
    "too many levels": params(`"name":"echo","arguments":{"a":${"[".repeat(101)}${"]".repeat(101)}}`),
  };

  it.each(Object.keys(MEANT))("is refused and not sent: %s", async (what) => {
    const since = await now();
    const response = await fetch(world.at(grant).url, {
      ...{ method: "POST", body: MEANT[what]! },
      headers: { "content-type": "application/json", authorization: `Bearer ${grant.token}` },
    } as RequestInit);
    const { error } = (await response.json()) as any;
    expect([response.status, [-32_700, -32_600, -32_602].includes(error.code)], error.message).toEqual([
      400,
      true,
    ]);
    expect(sentSince(since)).toEqual([]);
    const rows = await rowsSince(since);
    expect(rows.map(({ outcome, rule }) => [outcome, rule])).toEqual([["error", "(malformed)"]]);
  });

  it.each([
    ["another tool", { "mcp-name": "echo" }, { name: "secret" }],
    ["another method", { "mcp-method": "tools/list", "mcp-name": "echo" }, { name: "echo" }],
    ["another version", { "mcp-protocol-version": "2025-11-25" }, { name: "echo" }],
    ["no tool", { "mcp-name": "" }, { name: "echo" }],
  ])("headers that name %s than the body are refused with -32020", async (_what, headers, named) => {
    const since = await now();
    const { body: message, headers: right } = requestOf("tools/call", named, { era: "stateless" });
    const response = await fetch(world.at(grant).url, {
      ...{ method: "POST", body: JSON.stringify(message) },
      headers: { ...right, ...headers, authorization: `Bearer ${grant.token}` },
    });
    const { error } = (await response.json()) as any;
    expect([response.status, error.code]).toEqual([400, -32_020]);
    expect(sentSince(since)).toEqual([]);
  });

  it("costs no memory that stays, however large and however deep", { timeout: 120_000 }, async () => {
    const dice = new Dice(SEED + 1);
    const since = await now();
    const large = (text: string) => ({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "echo", arguments: { text } },
    });
    const bodies = [
      JSON.stringify(large("x".repeat(11 * 1024 * 1024))),
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${"[".repeat(4_000_000)}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{${'"a":1,'.repeat(700_000)}"a":1}}}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"n":${"9".repeat(5_000_000)}}}}`,
      `[${times(50_000, () => '{"jsonrpc":"2.0","id":1,"method":"ping"}').join(",")}]`,
      "\ufeff".repeat(1_000_000),
      `{"${"\\u0061".repeat(500_000)}":1}`,
    ].map((text) => Buffer.from(text));
    const round = () =>
      inTurns(bodies, 2, async (bytes) => {
        const head = `POST ${path()} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${grant.token}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${bytes.length}\r\n\r\n`;
        const got = await deliver(port(), {
          pieces: [Buffer.from(head), ...pieces(dice, bytes)],
          answers: 1,
          stops: false,
        });
        expect(["400", "413"], got.slice(0, 300)).toContain(statuses(got)[0]);
      });
    for (const _ of times(3, () => 0)) await round();
    const before = memoryKb();
    for (const _ of times(12, () => 0)) await round();
    // All of what came since then, kept, would be far more.
    expect(memoryKb() - before, "kB more after the same again and again").toBeLessThan(250 * 1024);
    expect(await sentWasJudged(since)).toEqual([]);
    await alive();
  });

  it("is answered on a connection that goes on, or that connection ends", async () => {
    const dice = new Dice(SEED + 2);
    const good = Buffer.from(
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"tail":true}}}',
    );
    const framed = (bytes: Buffer, connection: string) =>
      Buffer.concat([
        Buffer.from(
          `POST ${path()} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${grant.token}\r\ncontent-type: application/json\r\nconnection: ${connection}\r\ncontent-length: ${bytes.length}\r\n\r\n`,
        ),
        bytes,
      ]);
    await inTurns(
      times(60, () => body(dice)),
      6,
      async (bytes) => {
        const all = Buffer.concat([framed(bytes, "keep-alive"), framed(good, "close")]);
        const got = await deliver(port(), { pieces: pieces(dice, all), answers: 2, stops: false });
        const last = got.slice(got.lastIndexOf("HTTP/1.1"));
        // Whatever came before, the second is answered as what it is, and by nobody else's answer.
        expect([statuses(got).length, last.includes('"id":7'), last.includes("tail")]).toEqual([
          2,
          true,
          true,
        ]);
      },
    );
    await alive();
  });
});

describe(`whatever a server sends (seed ${SEED})`, () => {
  const SAYINGS = [
    "plain",
    "größe",
    "😀😀",
    'with "quotes" and \\ and \n line',
    "\u2028 and \u0085",
    "data: nested\n\nid: 9",
  ];
  const eventOf = (dice: Dice, message: object): string => {
    const end = dice.pick(["\n", "\r\n", "\r"]);
    const text = dice.chance(0.3) ? JSON.stringify(message, null, 1) : JSON.stringify(message);
    const lines = text.split("\n").map((line) => `data:${dice.pick(["", " "])}${line}`);
    if (dice.chance(0.3)) lines.unshift(`event: message`);
    if (dice.chance(0.3)) lines.unshift(`: comment ${dice.int(100)}`);
    if (dice.chance(0.2)) lines.push("retry: 10");
    return lines.map((line) => line + end).join("") + end;
  };
  /** Writes a stream in pieces that have nothing to do with its lines or characters. */
  const streams =
    (dice: Dice, messages: (arrival: Arrival) => object[]) => async (arrival: Arrival, response: any) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const bytes = Buffer.from(
        messages(arrival)
          .map((message) => eventOf(dice, message))
          .join(""),
      );
      for (const piece of pieces(dice, bytes, 40)) {
        response.write(piece);
        if (dice.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    };
  it("in events cut anywhere arrives whole and in order", async () => {
    const dice = new Dice(SEED + 3);
    for (const turn of times(60, (n) => n)) {
      const before = times(dice.int(4), (n) => ({
        ...{ jsonrpc: "2.0", method: "notifications/progress" },
        params: { progressToken: turn, progress: n, message: dice.pick(SAYINGS) },
      }));
      const result = { content: [{ type: "text", text: dice.pick(SAYINGS) }], structuredContent: { turn } };
      world.upstream.on(
        "stream",
        streams(dice, ({ message }) => [...before, { jsonrpc: "2.0", id: message.id, result }]),
      );
      const answer = await call(world.at(grant), "stream", { turn });
      const got = eventsIn(answer.text);
      expect(got.slice(0, -1)).toEqual(before);
      expect(got.at(-1).result).toEqual(result);
    }
    await alive();
  });

  it("as a list of tools is filtered, in whatever pieces it comes", async () => {
    const dice = new Dice(SEED + 4);
    for (const _ of times(25, () => 0)) {
      world.upstream.onOther = (arrival, response) => {
        if (arrival.method !== "tools/list") return false;
        const more = { nextCursor: "c", "x-field": dice.pick(SAYINGS) };
        const tools = TOOLS.map((name) => toolNamed(name));
        void streams(dice, ({ message }) => [{ jsonrpc: "2.0", id: message.id, result: { tools, ...more } }])(
          arrival,
          response,
        );
        return true;
      };
      const answer = await ask(world.at(grant), "tools/list", {});
      const { result } = eventsIn(answer.text).at(-1);
      expect(result.tools.map(({ name }: any) => name)).toEqual(TOOLS.filter((name) => name !== "secret"));
      expect(result.nextCursor).toBe("c");
    }
    world.upstream.onOther = () => false;
  });

  it("that is no MCP gives an error and nothing of it, and the next call works", async () => {
    const rubbish: ((arrival: Arrival, response: any) => void)[] = [
      (_arrival, response) => response.writeHead(200, { "content-type": "application/json" }).end("{"),
      (_arrival, response) => response.writeHead(200, { "content-type": "application/json" }).end("[]"),
      (_arrival, response) => response.writeHead(200, { "content-type": "application/json" }).end('"leak"'),
      (_arrival, response) => response.writeHead(200, { "content-type": "text/html" }).end("<p>leak</p>"),
      (_arrival, response) =>
        response.writeHead(200, { "content-type": "application/json" }).end(Buffer.from([0x7b, 0xff, 0xfe])),
      (_arrival, response) =>
        response.writeHead(200, { "content-type": "text/event-stream" }).end("data: {leak\n\n"),
      (_arrival, response) =>
        response.writeHead(200, { "content-type": "text/event-stream" }).end('data: {"jsonrpc":"2.0",'),
      (_arrival, response) =>
        response.writeHead(200, { "content-type": "text/event-stream" }).end(": nothing\n\n"),
      (_arrival, response) =>
        response.writeHead(200, { "content-type": "text/event-stream" }).end(`data: ${"x".repeat(11 << 20)}`),
      (_arrival, response) =>
        response.writeHead(200, { "content-type": "application/json" }).end(`"${"x".repeat(11 << 20)}"`),
      (_arrival, response) => response.writeHead(302, { location: "http://169.254.169.254/leak" }).end(),
      (_arrival, response) =>
        response.writeHead(200, { "content-length": "1000" }).end('{"leak'.padEnd(1000).slice(0, 1000)),
      (_arrival, response) => response.socket.end("HTTP/1.1 200 OK\r\nnonsense leak\r\n\r\n"),
      (_arrival, response) => response.socket.end("leak leak leak"),
    ];
    for (const [n, answer] of rubbish.entries()) {
      for (const era of ["session", "stateless"] as const) {
        world.upstream.on("stream", answer);
        const told = await call(world.at(grant), "stream", {}, { era });
        expect([n, told.outcome], told.text.slice(0, 300)).toEqual([n, "error"]);
        expect(told.text).not.toContain("leak");
        expect((await call(world.at(grant), "echo", {}, { era })).outcome).toBe("allow");
      }
    }
    await alive();
  });
});
