import { connect } from "node:net";
import { STATELESS } from "../../support/gateway.ts";
import { envelope } from "./calls.ts";
import type { Dice } from "./dice.ts";

/** One HTTP request, byte for byte, and in which pieces it is sent. */
export interface Sent {
  readonly pieces: readonly Buffer[];
  /** Answers that have to come: more than one when requests are sent one behind the other. */
  readonly answers: number;
  /** The sender stops before the end, and says so. */
  readonly stops: boolean;
}

const TOOLS = ["pay", "secret", "echo", "größe", "__proto__", "constructor", "PAY", "pay ", "s\\u0065cret"];
const AMOUNTS = [
  "2",
  "99.5",
  "1",
  "100",
  "101",
  "1e2",
  "1e3",
  "1e999",
  "-0",
  "0.1",
  "9007199254740993",
  "123456789012345678901234567890",
];
const ODD = [
  '"9e9"',
  "null",
  "true",
  "[101]",
  '{"amount":101}',
  '"\\ud800"',
  '"\\u0000"',
  "-1e-400",
  "0x65",
  "01",
  "+1",
  "NaN",
];

const amount = (dice: Dice) => (dice.chance(0.8) ? dice.pick(AMOUNTS) : dice.pick(ODD));

function args(dice: Dice): string {
  const [a, b] = [amount(dice), amount(dice)];
  switch (dice.int(20)) {
    case 0:
      return `{"amount":${a},"amount":${b}}`;
    case 1:
      return `{"amount":${a},"\\u0061mount":${b}}`;
    case 2:
      return `{"__proto__":{"amount":${a}},"amount":${b},"constructor":{"prototype":{}}}`;
    case 3: {
      const depth = dice.pick([3, 60, 90, 96, 120, 3_000]);
      return `{"amount":${a},"deep":${'{"a":['.repeat(depth)}1${"]}".repeat(depth)}}`;
    }
    case 4:
      return `[${a}]`;
    case 5:
      return `{"amount":${a},"text":"${"äöü€😀".repeat(dice.int(40))}","list":[${b},${b}]}`;
    default:
      return `{"amount":${a}}`;
  }
}

function params(dice: Dice): string {
  const members = [`"name":"${dice.pick(TOOLS)}"`, `"arguments":${args(dice)}`];
  if (dice.chance(0.06)) members.push(`"name":"${dice.pick(TOOLS)}"`);
  if (dice.chance(0.05)) members.push(`"n\\u0061me":"echo"`);
  if (dice.chance(0.05)) members.push(`"Arguments":${args(dice)}`);
  if (dice.chance(0.1))
    members.push(dice.pick(['"_meta":{}', '"_meta":7', '"requestState":"x"', '"task":{}']));
  return dice.chance(0.5) ? `{${members.join(",")}}` : `{ ${members.reverse().join(" ,\n")}\t}`;
}

function message(dice: Dice): string {
  const members = ['"jsonrpc":"2.0"', `"id":${dice.pick(["1", '"x"', "7.5", "null", "[1]", "1e3", '""'])}`];
  if (dice.chance(0.93)) members[1] = `"id":${1 + dice.int(1_000)}`;
  members.push(
    dice.chance(0.9)
      ? '"method":"tools/call"'
      : dice.pick(['"method":"tools/list"', '"method":"ping"', '"METHOD":"tools/call"']),
  );
  members.push(
    `"params":${dice.chance(0.95) ? params(dice) : dice.pick(["[]", "null", "7", `[${params(dice)}]`])}`,
  );
  if (dice.chance(0.08))
    members.push(dice.pick(['"method":"ping"', '"result":{}', '"params":{}', '"Params":{}', '"error":null']));
  const text = `{${members.join(",")}}`;
  if (dice.chance(0.06)) return `[${text}]`;
  if (dice.chance(0.04)) return `[${text},${text}]`;
  return text;
}

/** A body: mostly a call that could be meant so, often with something wrong about it. */
export function body(dice: Dice): Buffer {
  let text = message(dice);
  if (dice.chance(0.08)) text = dice.pick(["\ufeff", "\0", " \n", "\u2028", ")]}',\n"]) + text;
  if (dice.chance(0.06)) text += dice.pick(["}", "\0", "{}", " ", ",", `\n${text}`]);
  const bytes = Buffer.from(text);
  if (dice.chance(0.06)) bytes[dice.int(bytes.length)] = dice.int(256);
  if (dice.chance(0.04)) return bytes.subarray(0, dice.int(bytes.length));
  if (dice.chance(0.03)) return Buffer.from(Array.from({ length: dice.int(80) }, () => dice.int(256)));
  if (dice.chance(0.03))
    return Buffer.concat([bytes.subarray(0, 20), Buffer.from([0xc0, 0xaf, 0xff]), bytes.subarray(20)]);
  return bytes;
}

/** The same in the stateless era, with headers that may say something else. */
function statelessBody(dice: Dice): { bytes: Buffer; headers: string[] } {
  const name = dice.pick(["pay", "secret", "echo"]);
  const said = dice.chance(0.7)
    ? name
    : dice.pick(["pay", "secret", "echo", "", "=?base64?c2VjcmV0?=", "=?base64?!?="]);
  const method = dice.chance(0.85) ? "tools/call" : dice.pick(["tools/list", "Tools/Call", "ping"]);
  const version = dice.chance(0.85) ? STATELESS : dice.pick(["2025-11-25", "2099-01-01", "x"]);
  const sent = { name, arguments: { amount: dice.int(200) }, _meta: envelope() };
  const headers = [`mcp-protocol-version: ${version}`, `mcp-method: ${method}`, `mcp-name: ${said}`];
  if (dice.chance(0.1)) headers.push(`mcp-name: ${dice.pick(["pay", "secret"])}`);
  if (dice.chance(0.1)) headers.splice(dice.int(headers.length), 1);
  const text = JSON.stringify({
    jsonrpc: "2.0",
    id: 1 + dice.int(1_000),
    method: "tools/call",
    params: sent,
  });
  return { bytes: Buffer.from(text), headers };
}

/** Cuts bytes at random places. */
export function pieces(dice: Dice, bytes: Buffer, most = 6): Buffer[] {
  const places = Array.from({ length: dice.int(most) }, () => dice.int(bytes.length + 1)).sort(
    (a, b) => a - b,
  );
  const all: Buffer[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) all.push(bytes.subarray(from, place));
    from = place;
  }
  return all;
}

/** One request or several behind each other, framed in one of the ways HTTP has. */
export function request(dice: Dice, path: string, token: string): Sent {
  const count = dice.chance(0.1) ? 2 + dice.int(3) : 1;
  const parts: Buffer[] = [];
  let stops = false;
  for (let n = 0; n < count; n++) {
    const last = n === count - 1;
    const { bytes, headers } = dice.chance(0.2) ? statelessBody(dice) : { bytes: body(dice), headers: [] };
    const type = dice.chance(0.95)
      ? "application/json"
      : dice.pick(["text/plain", "application/json; charset=utf-16", "x"]);
    const lines = [
      ...[`POST ${path} HTTP/1.1`, "host: x", `authorization: Bearer ${token}`, `content-type: ${type}`],
      ...[...headers, `connection: ${last ? "close" : "keep-alive"}`],
    ];
    const head = (length: string) => Buffer.from(`${[...lines, length].join("\r\n")}\r\n\r\n`);
    stops = count === 1 && dice.chance(0.05);
    if (dice.chance(0.5)) {
      parts.push(head(`content-length: ${bytes.length + (stops ? 7 : 0)}`), bytes);
    } else {
      parts.push(head("transfer-encoding: chunked"));
      for (const piece of pieces(dice, bytes)) {
        parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n"));
      }
      if (!stops) parts.push(Buffer.from("0\r\n\r\n"));
    }
  }
  return { pieces: pieces(dice, Buffer.concat(parts), 8), answers: count, stops };
}

/** Writes the pieces one after the other and reads until the other side closes. */
export function deliver(port: number, { pieces: all, stops }: Sent, withinMs = 15_000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    let got = "";
    socket.setNoDelay(true);
    socket.setTimeout(withinMs, () => socket.destroy(new Error("no answer")));
    socket.on("data", (chunk) => {
      got += chunk.toString("latin1");
    });
    socket.on("error", (error) => (got === "" ? reject(error) : resolve(got)));
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(got));
    const write = (at: number) => {
      if (socket.destroyed) return;
      if (at < all.length) socket.write(all[at]!, () => setImmediate(write, at + 1));
      else if (stops) socket.end();
    };
    socket.on("connect", () => write(0));
  });
}

/** Statuses of the answers in what came back. */
export const statuses = (got: string): string[] =>
  [...got.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => status!);
