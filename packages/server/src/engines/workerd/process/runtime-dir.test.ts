import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { workerdErrors } from "../errors.ts";
import { locateWorkerd } from "./binary.ts";
import { closeRuntimeDir, openRuntimeDir } from "./runtime-dir.ts";
import { scratch } from "./testing.ts";

const place = scratch();
afterAll(() => place.cleanUp());

describe("the runtime directory", () => {
  it("is passable, not readable, and short enough for sockets", () => {
    const dir = openRuntimeDir();
    expect(statSync(dir).mode & 0o777).toBe(0o711);
    expect(Buffer.byteLength(join(dir, "999999/s/fn-999.sock"))).toBeLessThan(107);
    closeRuntimeDir(dir);
    expect(existsSync(dir)).toBe(false);
  });

  it("goes with the server, and is cleared away by the next one if that was killed", () => {
    const module = JSON.stringify(new URL("./runtime-dir.ts", import.meta.url).href);
    const open = (then: string) =>
      spawnSync(
        process.execPath,
        [
          "--input-type=module",
          "-e",
          `import { closeRuntimeDir, openRuntimeDir } from ${module};
           console.log(openRuntimeDir([${JSON.stringify(place.dir)}])); ${then}`,
        ],
        { encoding: "utf8" },
      ).stdout.trim();
    expect(existsSync(open(""))).toBe(false);
    const left = open('process.kill(process.pid, "SIGKILL")');
    expect(existsSync(left)).toBe(true);
    const mine = openRuntimeDir([place.dir]);
    expect(existsSync(left)).toBe(false);
    openRuntimeDir([place.dir]);
    expect(existsSync(mine)).toBe(true);
  });

  it("leaves alone what another machine or container may be using", () => {
    const mine = openRuntimeDir([place.dir]);
    const owner = JSON.parse(readFileSync(join(mine, "owner"), "utf8")) as { world: string };
    const boot = owner.world.split(" ")[0];
    const make = (name: string, content: object) => {
      const dir = join(place.dir, `ambit-rt-${name}`);
      mkdirSync(dir);
      writeFileSync(join(dir, "owner"), JSON.stringify({ pid: 4_000_000, startTicks: 1, ...content }));
      return dir;
    };
    const elsewhere = make("other", { world: `${boot} pid:[1]` });
    const before = make("old", { world: "another-boot pid:[1]" });
    openRuntimeDir([place.dir]);
    expect(existsSync(elsewhere)).toBe(true);
    expect(existsSync(before)).toBe(false);
  });
});

describe("the binary", () => {
  const { code } = workerdErrors.RUNTIME_UNSUPPORTED();

  it("is refused with its code where there is none", () => {
    expect(() => locateWorkerd("win32", "x64")).toThrow(expect.objectContaining({ code }));
    const missing = () => {
      throw new Error("no such package");
    };
    expect(() => locateWorkerd("linux", "x64", missing)).toThrow(expect.objectContaining({ code }));
    expect(() => locateWorkerd("linux", "x64", () => "/nowhere/package.json")).toThrow(
      expect.objectContaining({ remediation: expect.stringContaining("@cloudflare/workerd-linux-64") }),
    );
  });
});
