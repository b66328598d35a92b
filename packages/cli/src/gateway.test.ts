import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterDashes, pairsOf } from "./flags.ts";
import { clientName, snippet } from "./gateway-issued.ts";
import { DecisionTail, type LoggedDecision } from "./gateway-tail.ts";
import { limits } from "./limits.ts";
import { columns, jsonText, visible } from "./output.ts";
import { instantMs, timeFlag } from "./time.ts";

describe("times", () => {
  const NOW = Date.UTC(2026, 5, 1, 12);

  it("are durations from now, or before now", () => {
    expect(timeFlag("expires", "90d", NOW, "ahead")).toBe("2026-08-30T12:00:00.000Z");
    expect(timeFlag("from", "90m", NOW, "ago")).toBe("2026-06-01T10:30:00.000Z");
    expect(timeFlag("from", "2w", NOW, "ago")).toBe("2026-05-18T12:00:00.000Z");
  });

  it("are ISO 8601, in UTC where nothing else is said", () => {
    expect(instantMs("2026-06-01")).toBe(Date.UTC(2026, 5, 1));
    expect(instantMs("2026-06-01T02:00")).toBe(Date.UTC(2026, 5, 1, 2));
    expect(instantMs("2026-06-01T02:00:00.5+02:00")).toBe(Date.UTC(2026, 5, 1, 0, 0, 0, 500));
    for (const text of ["2026-13-01", "2026-06-01 02:00", "tomorrow", "2026", "", "1e3"])
      expect(instantMs(text)).toBe(null);
    for (const text of ["-3d", "3", "3y", "", "99999999d"])
      expect(() => timeFlag("expires", text, NOW, "ahead")).toThrow(/--expires takes a duration/);
  });
});

describe("what is shown of others", () => {
  it("is one line without anything that could steer a terminal, and JSON that means the same", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(visible(text)).not.toMatch(/\p{C}/u);
        const json = jsonText({ [text]: text }, 2);
        expect(json.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
        expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ [text]: text })));
      }),
      { numRuns: 300 },
    );
    expect(
      columns([
        ["a", "b\n\u001bc"],
        ["long", "d"],
      ]),
    ).toEqual(["a     b \ufffdc", "long  d"]);
  });

  it("is a name that every client takes, in the snippet of a grant", () => {
    expect(clientName("Zahlungen (EU) ö")).toBe("Zahlungen-EU-o");
    expect(clientName("日本")).toBe("ambit");
    const issued = { grant_id: "gra_1", token: "amb_gr_1", proxy_url: "http://x/mcp/1/" };
    expect(JSON.parse(JSON.stringify(snippet("__proto__", issued)))).toEqual(
      JSON.parse(
        '{"mcpServers":{"__proto__":{"command":"npx","args":["ambit","mcp","--url","http://x/mcp/1/"],"env":{"AMBIT_API_KEY":"amb_gr_1"}}}}',
      ),
    );
  });
});

describe("pairs", () => {
  it("are name=value, or a name of this environment where that is allowed", () => {
    const args = ["x", "--env", "A=b=c", "--env=D=", "--env", "HOME", "--", "--env", "E=f"];
    expect(pairsOf(args, "env", { HOME: "/h" })).toEqual({ A: "b=c", D: "", HOME: "/h" });
    for (const wrong of ["=v", "NOTHING", ""])
      expect(() => pairsOf(["--env", wrong], "env", {})).toThrow(/--env takes/);
    expect(afterDashes(args)).toEqual(["--env", "E=f"]);
    expect(afterDashes(["x"])).toBe(null);
    expect(() => pairsOf(["--header", "HOME"], "header")).toThrow("--header takes name=value.");
  });
});

describe("following the log", () => {
  const at = (ms: number) => new Date(Date.UTC(2026, 0, 1) + ms).toISOString();
  const decision = (n: number, ms: number) =>
    ({ decision_id: `led_${String(n).padStart(4, "0")}`, at: at(ms) }) as LoggedDecision;

  it("shows each decision once, in order, also those that appear late", () => {
    const seeds = fc.array(fc.record({ gap: fc.nat(400), late: fc.nat(10_000) }), { maxLength: 60 });
    fc.assert(
      fc.property(seeds, fc.nat(20), fc.nat(20), (made, limit, step) => {
        let ms = 0;
        const log = made.map(({ gap, late }, n) => {
          ms += gap;
          return { each: decision(n, ms), visibleMs: ms + (n === 0 ? 0 : late) };
        });
        const seenAt = (nowMs: number, from: string | undefined) =>
          log
            .filter(({ visibleMs }) => visibleMs <= nowMs)
            .map(({ each }) => each)
            .filter((each) => from === undefined || each.at >= from)
            .reverse();
        const first = seenAt(0, undefined).slice(0, limit + 1);
        const tail = new DecisionTail(first, undefined);
        const shown = [...first].reverse().map(({ decision_id }) => decision_id);
        for (let nowMs = 0; nowMs <= ms + 10_500; nowMs += 100 + 50 * step) {
          shown.push(...tail.fresh(seenAt(nowMs, tail.from)).map(({ decision_id }) => decision_id));
        }
        shown.push(...tail.fresh(seenAt(ms + 20_000, tail.from)).map(({ decision_id }) => decision_id));
        expect(new Set(shown).size).toBe(shown.length);
        const oldest = first.at(-1)?.decision_id ?? "";
        const wanted = log.map(({ each }) => each.decision_id).filter((id) => id >= oldest);
        expect([...shown].sort()).toEqual(wanted);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  it("asks from a little before the newest, and never from before the start", () => {
    expect(new DecisionTail([], undefined).from).toBe(undefined);
    expect(new DecisionTail([], at(5)).from).toBe(at(5));
    const shown = [decision(2, 60_000), decision(1, 50_000)];
    expect(new DecisionTail(shown, undefined).from).toBe(at(60_000 - limits.followOverlapMs));
    expect(new DecisionTail(shown, at(59_000)).from).toBe(at(59_000));
  });
});
