import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterCrash, noCrashes } from "./backoff.ts";
import { programCommand, programEnvironment } from "./command.ts";
import { stdioLimits } from "./limits.ts";
import { createLineReader, idIn } from "./lines.ts";
import { createStderrTail, redacted, secretsOf } from "./stderr.ts";
import { serverUser } from "./user.ts";

const seed = 20_261_122;

function read(bytes: Buffer, cuts: readonly number[], maxBytes: number) {
  const lines: string[] = [];
  const told: unknown[] = [];
  const reader = createLineReader(maxBytes, {
    onLine: (text) => lines.push(text),
    onJunk: () => told.push("junk"),
    onTooLarge: (id) => told.push(id),
  });
  let from = 0;
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    const to = Math.min(Math.max(cut, from), bytes.length);
    reader.push(bytes.subarray(from, to));
    from = to;
  }
  return { lines, told };
}

describe("lines", () => {
  const line = fc.oneof(
    fc.object({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
    fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", " ")),
    fc.nat(400).map((length) => JSON.stringify({ result: "x".repeat(length), id: length })),
  );

  it("however bytes are cut, the lines are the same", () => {
    const cuts = fc.array(fc.nat(4000));
    fc.assert(
      fc.property(fc.array(line), cuts, fc.integer({ min: 1, max: 500 }), (lines, where, max) => {
        const bytes = Buffer.from(lines.map((one) => `${one}\n`).join(""));
        const whole = read(bytes, [], max);
        expect(read(bytes, where, max)).toEqual(whole);
        const fits = lines.filter((one) => Buffer.byteLength(one) <= max);
        const objects = fits
          .map((one) => one.trim())
          .filter((one) => one.startsWith("{") && one.endsWith("}"));
        expect(whole.lines.filter((one) => one === one.trim())).toEqual(
          objects.filter((one) => whole.lines.includes(one)),
        );
        expect(whole.lines.length).toBeLessThanOrEqual(fits.length);
        expect(whole.told.filter((one) => one !== "junk")).toHaveLength(lines.length - fits.length);
      }),
      { seed, numRuns: 300 },
    );
  });

  it("bytes that are no UTF-8 are no line", () => {
    const bytes = Buffer.concat([
      Buffer.from('{"a":"'),
      Buffer.from([0xc3]),
      Buffer.from('"}\r\n{"b":1}\r\n'),
    ]);
    expect(read(bytes, [], 100)).toEqual({ lines: ['{"b":1}'], told: ["junk"] });
  });

  it("an id is found where servers write it, and nowhere else", () => {
    expect(idIn('{"jsonrpc":"2.0","id":12,"result":"xx', 'xx"}')).toBe(12);
    expect(idIn('{"result":"xx', 'xx"},"jsonrpc":"2.0","id":7}')).toBe(7);
    expect(idIn('{"id": 3, "result":"xx', "xx")).toBe(3);
    expect(idIn('{"result":{"id":5,', '"id":5}}')).toBe(null);
    expect(idIn('{"result":"', '\\"id\\":5}"}')).toBe(null);
    expect(idIn('{"id":"text","result":', "}")).toBe(null);
  });
});

describe("back-off", () => {
  it("doubles up to its end, and begins anew after a healthy run", () => {
    let crashes = noCrashes;
    const waits = Array.from({ length: 12 }, () => {
      crashes = afterCrash(crashes, 5, 1_000, stdioLimits);
      return crashes.notBeforeMs - 1_000;
    });
    expect(waits.slice(0, 4)).toEqual([100, 200, 400, 800]);
    expect(waits.at(-1)).toBe(30_000);
    expect(afterCrash(crashes, 60_000, 0, stdioLimits)).toEqual({ inARow: 1, notBeforeMs: 100 });
    expect(afterCrash({ inARow: 5_000, notBeforeMs: 0 }, 1, 0, stdioLimits).notBeforeMs).toBe(30_000);
  });
});

describe("the user", () => {
  it("is the server's own, the same every time, and never root's", () => {
    const everything = "0 0 4294967295";
    const rootless = "0 1000 1\n1 100000 65536";
    fc.assert(
      fc.property(fc.uuid(), fc.constantFrom(everything, rootless, ""), (id, map) => {
        const choice = serverUser(id, 0, map);
        if (choice.kind !== "own") throw new Error(choice.kind);
        expect(serverUser(id, 0, map)).toEqual(choice);
        expect(choice.user.uid).toBe(choice.user.gid);
        expect(choice.user.uid).toBeGreaterThanOrEqual(40_000);
        if (map === rootless) expect(choice.user.uid).toBeLessThan(65_536);
      }),
      { seed },
    );
    expect(serverUser("a", 0, "0 1000 1").kind).toBe("impossible");
    expect(serverUser("a", 1000, everything).kind).toBe("self");
    const many = Array.from({ length: 200 }, (_, n) => JSON.stringify(serverUser(`${n}`, 0, everything)));
    expect(new Set(many).size).toBe(200);
  });
});

describe("the command", () => {
  const program = { command: "server", args: ["--core=9", "$(id)", ""] };
  const tools = { setpriv: "/bin/setpriv", prlimit: "/bin/prlimit" };

  it("ends with the program as it was registered, whatever helpers there are", () => {
    for (const setpriv of [tools.setpriv, null])
      for (const prlimit of [tools.prlimit, null]) {
        const how = { ownUser: true, noFileHard: 1_024 };
        const command = programCommand(program, { setpriv, prlimit }, stdioLimits, how);
        expect(command.slice(-4)).toEqual(["server", ...program.args]);
        if (setpriv || prlimit) expect(command.at(-5)).toBe("--");
        expect(command.includes("--no-new-privs")).toBe(setpriv !== null);
        expect(command.includes("--nofile=1024")).toBe(prlimit !== null);
      }
  });

  it("limits processes only where the user is the server's own", () => {
    const of = (ownUser: boolean) =>
      programCommand(program, tools, stdioLimits, { ownUser, noFileHard: Number.POSITIVE_INFINITY }).join(
        " ",
      );
    expect(of(true)).toContain("--nproc=1024");
    expect(of(false)).not.toContain("--nproc");
  });

  it("an environment holds what was registered, and three names", () => {
    expect(programEnvironment("/dir", undefined, { A: "1", LANG: "de" })).toEqual({
      PATH: expect.stringContaining("/usr/bin"),
      HOME: "/dir",
      LANG: "de",
      A: "1",
    });
  });
});

describe("secrets", () => {
  it("no value of the environment is ever shown, however standard error is cut", () => {
    const secret = fc.string({ minLength: 4, maxLength: 30 }).filter((text) => text.trim().length >= 4);
    const given = fc.record({
      secrets: fc.array(secret, { minLength: 1, maxLength: 4 }),
      noise: fc.array(fc.string({ maxLength: 20 }), { maxLength: 10 }),
      maxBytes: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(given, ({ secrets, noise, maxBytes }) => {
        const hidden = secretsOf(Object.fromEntries(secrets.map((value, n) => [`V${n}`, value])), []);
        const tail = createStderrTail(maxBytes, hidden);
        for (const text of noise) for (const one of secrets) tail.push(Buffer.from(`${text} ${one}\n`));
        const shown = tail.text().replaceAll("[hidden]", "\n");
        for (const one of secrets) expect(shown.includes(one)).toBe(false);
      }),
      { seed, numRuns: 300 },
    );
  });

  it("passwords in arguments are secrets too, also encoded", () => {
    const found = secretsOf({}, [
      "postgres://user:p%40ssword@db/x",
      "--verbose",
      "https://example.com/a:b@c",
    ]);
    expect(found).toEqual(["p%40ssword", "p@ssword"]);
    expect(redacted("login p@ssword failed", found)).toBe("login [hidden] failed");
  });
});
