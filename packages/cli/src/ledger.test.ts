import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { verifierKey } from "@ambit/ledger";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { linesOfLog, logOf, NAME, noteOf, OTHER_KEY, VKEY } from "../../ledger/src/testing/log.ts";

const BIN = fileURLToPath(new URL("../bin/ambit.js", import.meta.url));
const LOG = logOf(12, [4, 8]);
const EXPORT = linesOfLog(LOG).join("");
const KEY = "bb_sk_test";

let directory: string;
let server: Server;
let url: string;
let answer: RequestListener;
const asked: string[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ambit-ledger-"));
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
});
beforeEach(() => {
  asked.length = 0;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true });
});

function start(args: string[], input = "") {
  const child = spawn(process.execPath, [BIN, "ledger", ...args], {
    cwd: directory,
    env: { PATH: process.env.PATH, AMBIT_DATA_DIR: directory, AMBIT_MCP_URL: url, AMBIT_API_KEY: KEY },
  });
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended };
}
const ambit = (args: string[], input?: string) => start(args, input).ended;

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(directory, name), text);
  return name;
}

describe("ambit ledger verify", () => {
  it("says that a good export is good, without a server", async () => {
    const path = await file("good.jsonl", EXPORT);
    const told = await ambit(["verify", path, "--public-key", VKEY]);
    expect(told).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^ok: every entry is what .*\n.*--checkpoint/),
      stderr: "",
    });
    expect(told.stdout).toContain(
      `${NAME} signed: 12 entries (12 in full, 0 as hashes), 3 checkpoints, 12 sealed`,
    );
    const kept = await file("kept.note", noteOf(LOG, 5));
    const edited = await file("edited.note", noteOf(LOG, 9).trimEnd().replaceAll("\n", "\r\n"));
    const key = await file("ledger.pub", `${VKEY}\n`);
    const all = ["--public-key", key, "--checkpoint", kept, `--checkpoint=${edited}`];
    const checked = await ambit(["verify", "-", ...all, "--json"], EXPORT);
    expect([checked.code, checked.stderr]).toEqual([0, ""]);
    expect(JSON.parse(checked.stdout)).toMatchObject({ ok: true, size: 12, proven: 12, problems: [] });
    expect(asked).toEqual([]);
  });

  it("names each entry that is wrong, and ends with 1", async () => {
    const lines = linesOfLog(LOG);
    lines[3] = lines[3]!.replace("act_2", "act_9");
    lines.splice(7, 1);
    const told = await ambit(["verify", await file("bad.jsonl", lines.join("")), "--public-key", VKEY]);
    expect([told.code, told.stderr]).toEqual([1, ""]);
    expect(told.stdout.split("\n")).toEqual([
      "changed: Entry 2 was altered: its text is not the one whose hash is in the tree.",
      "missing: Entry 5 is missing.",
      expect.stringMatching(/^NOT ok: 2 problems; .* the first 4 entries are proven, of 12 entries /),
      "",
    ]);
    const json = await ambit(["verify", "bad.jsonl", "--public-key", VKEY, "--json"]);
    expect(JSON.parse(json.stdout).problems).toMatchObject([{ kind: "changed", index: 2 }, { index: 5 }]);
    expect(json.code).toBe(1);
  });

  it("finds a cut end against any of the checkpoints", async () => {
    const cut = linesOfLog({ ...LOG, leaves: LOG.leaves.slice(0, 8), sizes: [4, 8] }).join("");
    expect((await ambit(["verify", "-", "--public-key", VKEY], cut)).code).toBe(0);
    const kept = [await file("10.note", noteOf(LOG, 10)), await file("6.note", noteOf(LOG, 6))];
    const flags = kept.flatMap((path) => ["--checkpoint", path]);
    const told = await ambit(["verify", "-", "--public-key", VKEY, ...flags], cut);
    expect(told).toMatchObject({ code: 1, stdout: expect.stringMatching(/^tail_cut: .* entries 8 to 9 /) });
  });

  it("shows nothing of the input that could steer a terminal", async () => {
    const lines = `${EXPORT}{"i":12,"\\u009b2J":1}\n${JSON.stringify({ checkpoint: "\u009b31m" })}\n`;
    const told = await ambit(["verify", "-", "--public-key", VKEY], lines);
    expect(told.code).toBe(1);
    expect(told.stdout).toMatch(/^unreadable_line: .*unknown field "\ufffd2J"/);
    expect(told.stdout.replaceAll("\n", "")).not.toMatch(/\p{C}/u);
  });

  it("ends with 2 and one line when something can't be used", async () => {
    const good = await file("good.jsonl", EXPORT);
    const other = await file("other.note", noteOf(LOG, 5, OTHER_KEY));
    const cases: [string[], RegExp][] = [
      [["verify"], /Which export\?/],
      [["verify", good], /Whose ledger\? --public-key/],
      [["verify", good, "--public-key", "nothing.pub"], /nothing\.pub can't be read \(ENOENT\)/],
      [["verify", good, "--public-key", good], /good\.jsonl is no public key of a ledger/],
      [["verify", "nothing.jsonl", "--public-key", VKEY], /nothing\.jsonl can't be read \(ENOENT\)/],
      [["verify", ".", "--public-key", VKEY], /can't be read \(EISDIR\)/],
      [
        ["verify", good, "--public-key", VKEY, "--checkpoint", other],
        /other\.note is no checkpoint of this ledger: .*key/,
      ],
      [["verify", good, "--public-key", VKEY, "--checkpoint", good], /good\.jsonl is no checkpoint/],
      [["verify", good, "--public-key", VKEY, "--checkpoint"], /--checkpoint takes the name of a file/],
    ];
    for (const [args, message] of cases) {
      const told = await ambit(args);
      expect([args, told.code, told.stdout]).toEqual([args, 2, ""]);
      expect(told.stderr).toMatch(message);
      expect(told.stderr).toMatch(/^ambit: .*\n$/);
    }
    for (const input of ["", "\u0000\u0001garbage\n", '{"format":"other"}\n'])
      expect(await ambit(["verify", "-", "--public-key", VKEY], input)).toMatchObject({
        code: 2,
        stdout: expect.stringMatching(/^not_an_export: /),
      });
  });

  it("trusts no other key than the one it is told", async () => {
    const forged = linesOfLog({ ...LOG, key: OTHER_KEY }).join("");
    expect((await ambit(["verify", "-", "--public-key", VKEY], forged)).code).toBe(1);
    const other = verifierKey(NAME, OTHER_KEY.publicKey);
    expect((await ambit(["verify", "-", "--public-key", other], forged)).code).toBe(0);
  });
});

describe("ambit ledger export", () => {
  const partials = async () => (await readdir(directory)).filter((name) => name.includes("partial"));

  it("writes the whole export, for its owner alone, or to standard output", async () => {
    answer = (_request, response) => {
      response.write(EXPORT.slice(0, 1_000));
      setTimeout(() => response.end(EXPORT.slice(1_000)), 50);
    };
    const told = await ambit(["export", "-o", "out.jsonl"]);
    expect(told).toEqual({ code: 0, stdout: `out.jsonl: ${Buffer.byteLength(EXPORT)} bytes\n`, stderr: "" });
    expect(await readFile(join(directory, "out.jsonl"), "utf8")).toBe(EXPORT);
    expect((await stat(join(directory, "out.jsonl"))).mode & 0o777).toBe(0o600);
    expect(await ambit(["export"])).toEqual({ code: 0, stdout: EXPORT, stderr: "" });
    expect(asked).toEqual(Array(2).fill(`GET /v1/ledger/export Bearer ${KEY}`));
    expect((await ambit(["verify", "out.jsonl", "--public-key", VKEY])).code).toBe(0);
  });

  it("leaves what was there when it does not succeed", async () => {
    await file("old.jsonl", "old");
    const unchanged = async (told: Promise<unknown>, message: RegExp) => {
      expect(await told).toEqual({ code: 1, stdout: "", stderr: expect.stringMatching(message) });
      expect(await readFile(join(directory, "old.jsonl"), "utf8")).toBe("old");
      expect(await partials()).toEqual([]);
    };
    answer = (_request, response) => {
      response.writeHead(403, { "content-type": "application/json" });
      response.end(JSON.stringify({ error: { code: "X", message: "Not allowed.", remediation: "Ask." } }));
    };
    await unchanged(ambit(["export", "-o", "old.jsonl"]), /^ambit: Not allowed\. Ask\.\n$/);
    answer = (_request, response) => {
      response.write(EXPORT.slice(0, 1_000));
      setTimeout(() => response.destroy(), 50);
    };
    await unchanged(ambit(["export", "-o", "old.jsonl"]), /^ambit: The server broke the export off/);
    await unchanged(
      ambit(["export", "-o", "old.jsonl", "--url", "http://127.0.0.1:1/mcp"]),
      /No Ambit answers/,
    );
    await unchanged(ambit(["export", "-o", "no/where/x.jsonl"]), /can't be written \(ENOENT\)/);
  });

  it("leaves nothing behind when it is interrupted", async () => {
    let begun = () => {};
    const written = new Promise<void>((resolve) => (begun = resolve));
    answer = (_request, response) => {
      response.write(EXPORT.slice(0, 1_000));
      begun();
    };
    const { child, ended } = start(["export", "-o", "half.jsonl"]);
    await written;
    while ((await partials()).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 1, stderr: "ambit: The export was interrupted.\n" });
    expect((await readdir(directory)).filter((name) => name.startsWith("half"))).toEqual([]);
  });

  it("stops when nobody reads any more", async () => {
    answer = (_request, response) => {
      const more = () => {
        while (response.writable && response.write(EXPORT));
      };
      response.on("drain", more);
      more();
    };
    const { child, ended } = start(["export"]);
    child.stdout.once("data", () => child.stdout.destroy());
    expect(await ended).toMatchObject({ code: 1, stderr: "ambit: Nobody reads the export any more.\n" });
  });
});

describe("ambit ledger checkpoint and key", () => {
  it("print what can be kept in a file", async () => {
    const note = noteOf(LOG, 12);
    answer = (request, response) => {
      const body = request.url?.endsWith("key")
        ? { public_key: VKEY, origin: NAME }
        : { note, size: 12, root: "x", at: "2026-06-01T00:00:00.000Z" };
      response.end(JSON.stringify(body));
    };
    expect(await ambit(["checkpoint"])).toEqual({ code: 0, stdout: note, stderr: "" });
    expect(JSON.parse((await ambit(["checkpoint", "--json"])).stdout)).toMatchObject({ note, size: 12 });
    expect(await ambit(["key"])).toEqual({ code: 0, stdout: `${VKEY}\n`, stderr: "" });
    expect(asked).toEqual([
      `POST /v1/ledger/checkpoints Bearer ${KEY}`,
      `POST /v1/ledger/checkpoints Bearer ${KEY}`,
      `GET /v1/ledger/key Bearer ${KEY}`,
    ]);
  });

  it("say in one line why they can't", async () => {
    answer = (_request, response) => response.writeHead(404).end("<html>");
    for (const what of ["checkpoint", "key"])
      expect(await ambit([what])).toEqual({
        code: 1,
        stdout: "",
        stderr: "ambit: The server answered with HTTP 404. <html>\n",
      });
    answer = (_request, response) => response.end("{}");
    expect((await ambit(["key"])).stderr).toBe("ambit: The server answered with HTTP 200. {}\n");
  });
});
