import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callOf, decideFresh, said } from "./testing/helpers.ts";
import type { JsonObject, PolicyDocument } from "./types.ts";
import { validate } from "./validate.ts";

const PACKAGE = new URL("../", import.meta.url).pathname;
const GUIDE = new URL("../../../docs/guides/policies.md", import.meta.url).pathname;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ambit-policy-readme-"));
  // As if the package had been installed here.
  await mkdir(join(directory, "node_modules", "@ambit"), { recursive: true });
  await symlink(PACKAGE, join(directory, "node_modules", "@ambit", "policy"));
});
afterAll(() => rm(directory, { recursive: true }));

it("the README's example prints what the README says", async () => {
  const readme = await readFile(join(PACKAGE, "README.md"), "utf8");
  const [, code, printed] = /```js\n(.*?)```\s+```\n(.*?)```/s.exec(readme)!;
  const path = join(directory, "example.mjs");
  await writeFile(path, code!);
  const { stdout } = await promisify(execFile)(process.execPath, [path]);
  const lines = (text: string) => text.split("\n").map((line) => line.trimEnd());
  expect(lines(stdout)).toEqual(lines(printed!));
});

describe("the guide's documents", () => {
  const documents = readFile(GUIDE, "utf8").then((guide) =>
    [...guide.matchAll(/```json\n(.*?)```/gs)].map(([, text]) => text!),
  );

  it("are valid, without warnings", async () => {
    expect(await documents).toHaveLength(4);
    for (const text of await documents) {
      expect(validate({ text })).toEqual({ valid: true, problems: [], warnings: [] });
    }
  });

  it("do what they are there for", async () => {
    const [charges, short, pushes, fetches] = (await documents).map(
      (text) => JSON.parse(text) as PolicyDocument,
    );
    const of = (document: PolicyDocument | undefined, tool: string, args: JsonObject) =>
      said(decideFresh(document!, callOf(tool, args)));
    const charge = (amount: number, currency = "EUR") => of(charges, "create_charge", { amount, currency });
    expect(charge(19_999)).toBe("allow");
    expect(charge(20_000)).toBe("hold /tools/create_charge/approve_if/args.amount-gte");
    expect(charge(100_001)).toBe("deny /tools/create_charge/deny_if/args.amount-gt");
    expect(charge(5, "XBT")).toBe("deny /tools/create_charge/require/args.currency-in");
    expect(of(charges, "delete_account", {})).toBe("deny (hidden)");
    expect(of(short, "drop_table", {})).toBe("deny /tools/drop_table/deny_if/0");
    expect(of(short, "send_mail", {})).toBe("hold /tools/send_mail/approve_if/0");
    expect(of(short, "search", {})).toBe("allow");
    const push = (args: JsonObject) => of(pushes, "push", { branch: "agent/x", ...args });
    expect(push({})).toBe("allow");
    expect(push({ force: null, flags: ["--tags"] })).toBe("allow");
    for (const args of [
      { force: true },
      { force: "yes" },
      { force: 1 },
      { flags: ["--tags", "-f"] },
      { flags: ["--force-with-lease"] },
      { flags: "--force" },
      { branch: "main" },
      { branch: ["agent/x", "main"] },
    ] as JsonObject[]) {
      expect(push(args)).toMatch(/^deny/);
    }
    const fetched = (...urls: string[]) => of(fetches, "fetch", { urls });
    expect(fetched("https://docs.example.com/a", "https://api.example.com/")).toBe("allow");
    for (const urls of [
      [],
      ["https://docs.example.com.evil/"],
      ["https://api.example.com/", "http://evil/"],
    ]) {
      expect(fetched(...urls)).toBe("deny /tools/fetch/require/args.urls.*-regex");
    }
  });
});
