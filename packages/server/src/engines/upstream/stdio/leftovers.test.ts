import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, expect, it } from "vitest";
import { isAlive } from "../../workerd/process/proc.ts";
import { endLeftovers } from "./leftovers.ts";
import { stdioFixture } from "./testing/fixture.ts";

const fixture = stdioFixture();
const here = (name: string) => new URL(`testing/${name}`, import.meta.url).pathname;
const started: ChildProcess[] = [];

afterEach(async () => {
  for (const child of started.splice(0)) {
    const gone = child.exitCode ?? child.signalCode ?? once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }
});
afterAll(() => fixture.stop());

/** Another Ambit with a program that has a child; their pids. */
async function ambit(dataDir: string): Promise<{ child: ChildProcess; pids: number[] }> {
  const args = [here("ambit.ts"), dataDir, "leftover", process.execPath, here("unruly.ts")];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  started.push(child);
  let text = "";
  for await (const chunk of child.stdout!) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  return { child, pids: JSON.parse(text) };
}

async function ended(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 200 && isAlive(pid); tries++) await sleep(10);
  return !isAlive(pid);
}

it("an Ambit that is killed takes its programs along; the next one finds what they had started", async () => {
  const { child, pids } = await ambit(fixture.dataDir);
  const [program = 0, grandchild = 0] = pids;
  const running = join(fixture.dataDir, "mcp", ".running");
  // Another one that starts meanwhile leaves alone what has an owner.
  expect(endLeftovers(running)).toBe(0);
  expect([program, grandchild].map(isAlive)).toEqual([true, true]);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(await ended(program)).toBe(true);
  expect(isAlive(grandchild)).toBe(true);
  expect(existsSync(join(running, `${program}.json`))).toBe(true);
  fixture.upstream({ command: "unused", args: [] }, { serverId: "next" });
  expect(await ended(grandchild)).toBe(true);
  expect(readdirSync(running)).toEqual([]);
});
