import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SseParser } from "./parser.ts";

interface Read {
  readonly events: { data: string; type: string; id: string | null }[];
  readonly ids: string[];
  readonly retries: number[];
  readonly fits: boolean;
}

/** Reads a stream in the pieces it is given in. */
function read(pieces: readonly Buffer[], maxBytes = 1_000_000): Read {
  const events: Read["events"] = [];
  const ids: string[] = [];
  const retries: number[] = [];
  const parser = new SseParser(
    {
      onEvent: (data, type, id) => void events.push({ data: data.toString("utf8"), type, id }),
      onId: (id) => void ids.push(id),
      onRetry: (ms) => void retries.push(ms),
    },
    maxBytes,
  );
  let fits = true;
  for (const piece of pieces) fits = parser.push(Buffer.from(piece)) && fits;
  return { events, ids, retries, fits };
}

const whole = (text: string, maxBytes?: number) => read([Buffer.from(text)], maxBytes);
const datas = (text: string) => whole(text).events.map(({ data }) => data);

describe("reading an event stream", () => {
  it("knows every line end, and what a line may be", () => {
    expect(datas("data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\r\n")).toEqual(["a", "b", "c", "d"]);
    expect(datas(": comment\n:\ndata:no space\n\ndata:  two spaces\n\n")).toEqual([
      "no space",
      " two spaces",
    ]);
    expect(datas("data: one\ndata: two\ndata\ndata: four\n\n")).toEqual(["one\ntwo\n\nfour"]);
    expect(datas("\ufeffdata: after the mark\n\n")).toEqual(["after the mark"]);
    expect(datas("data: {}\n\n\ufeffdata: not one\n\n")).toEqual(["{}"]);
    expect(datas("dat: x\ndatas: y\nunknownfield: z\n\n")).toEqual([]);
    expect(datas("data: without its end\n")).toEqual([]);
  });

  it("tells type, id and pause, each of its own event", () => {
    const { events, ids, retries } = whole(
      "event: endpoint\ndata: /m\nid: 1\n\nid: 2\ndata:\n\ndata: x\n\nid: a\0b\nretry: 250\nretry: 2x\ndata: y\n\n",
    );
    expect(events).toEqual([
      { data: "/m", type: "endpoint", id: "1" },
      { data: "x", type: "", id: null },
      { data: "y", type: "", id: null },
    ]);
    expect(ids).toEqual(["2"]);
    expect(retries).toEqual([250]);
  });

  it("takes lines far beyond 64 KB, up to its limit and no further", () => {
    const long = "x".repeat(300_000);
    expect(datas(`data: ${long}\n\n`)).toEqual([long]);
    expect(whole(`data: ${long}\n\n`, 300_006).fits).toBe(true);
    expect(whole(`data: ${long}\n\n`, 300_005)).toMatchObject({ fits: false, events: [] });
    expect(whole(`data: ${long}`, 1_000).fits).toBe(false);
    expect(whole("data: 0123456789\n".repeat(10), 100)).toMatchObject({ fits: false });
    expect(whole(`data: first\n\n${"data: 0123456789\n".repeat(10)}\n`, 100).events).toHaveLength(1);
  });

  it("holds no more than its limit of what comes byte by byte", () => {
    const parser = new SseParser({ onEvent() {} }, 2_000_006);
    const block = Buffer.alloc(50_000, "x");
    parser.push(Buffer.from("data: "));
    const used = () => process.memoryUsage().heapUsed + process.memoryUsage().external;
    const before = used();
    // Each part is an object of its own: kept, they would take two hundred megabytes.
    for (let at = 0; at < 2_000_000; at++) parser.push(block.subarray(at % 50_000, (at % 50_000) + 1));
    expect(used() - before).toBeLessThan(100_000_000);
    expect(parser.push(block.subarray(0, 1))).toBe(false);
  });
});

const line = fc.oneof(
  fc.tuple(
    fc.constantFrom("data", "data", "data", "id", "event", "retry", "", "other"),
    fc.constantFrom(":", ": ", ""),
    fc.oneof(fc.string({ unit: "binary", maxLength: 12 }), fc.constantFrom("{}", "ü€😀", "7", "")),
  ),
  fc.constant(["", "", ""] as [string, string, string]),
);
const stream = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(line, fc.constantFrom("\n", "\r", "\r\n")), { maxLength: 40 }))
  .map(([mark, lines]) => {
    const text = lines.map(([parts, end]) => parts.join("").replaceAll(/[\r\n]/g, "") + end).join("");
    return Buffer.from((mark ? "\ufeff" : "") + text, "utf8");
  });

/** The standard's own steps, on text as a whole. */
function reference(bytes: Buffer): { data: string; type: string; id: string | null }[] {
  const text = bytes.toString("utf8").replace(/^\ufeff/, "");
  const events: { data: string; type: string; id: string | null }[] = [];
  let data = "";
  let type = "";
  let id: string | null = null;
  const lines = text.split(/\r\n|\r|\n/);
  for (const line of lines.slice(0, -1)) {
    if (line === "") {
      if (data !== "" && data !== "\n") events.push({ data: data.slice(0, -1), type, id });
      data = "";
      type = "";
      id = null;
      continue;
    }
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") data += `${value}\n`;
    if (name === "event") type = value;
    if (name === "id" && !value.includes("\0")) id = value;
  }
  return events;
}

describe("a stream that is cut", () => {
  it("reads as the standard says", () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        expect(read([bytes]).events).toEqual(reference(bytes));
      }),
    );
  });

  it("reads the same wherever it is cut, with a limit too", () => {
    const cuts = fc.array(fc.nat(), { maxLength: 12 });
    fc.assert(
      fc.property(stream, cuts, fc.integer({ min: 1, max: 60 }), (bytes, at, maxBytes) => {
        const places = [
          0,
          ...at.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b),
          bytes.length,
        ];
        const pieces = places.slice(1).map((end, index) => bytes.subarray(places[index], end));
        const every = [...bytes].map((byte) => Buffer.from([byte]));
        for (const limit of [1_000_000, maxBytes]) {
          const expected = read([bytes], limit);
          expect(read(pieces, limit)).toEqual(expected);
          expect(read(every, limit)).toEqual(expected);
        }
      }),
    );
  });
});
