import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import { isAlive } from "../../engines/workerd/process/proc.ts";
import { openStand, type Stand } from "./testing/stand.ts";

const testing = (name: string) =>
  fileURLToPath(new URL(`../../engines/upstream/stdio/testing/${name}`, import.meta.url));

let stand: Stand;
afterEach(() => stand.stop());

/** Has another Ambit run a program with a child of its own on this directory, and kills it. Their pids. */
async function killedAmbit(dataDir: string): Promise<{ program: number; grandchild: number }> {
  const args = [testing("ambit.ts"), dataDir, "leftover", process.execPath, testing("unruly.ts")];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(child.stdout), "line");
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
  const [program, grandchild] = JSON.parse(line);
  return { program, grandchild };
}

it("a start ends what a killed Ambit left running, with nobody waiting for it", async () => {
  stand = await openStand();
  const { program, grandchild } = await killedAmbit(stand.dataDir);
  await expect.poll(() => isAlive(program)).toBe(false);
  expect(isAlive(grandchild)).toBe(true);
  // A node that allows no program at all any more, too.
  const { service } = stand.node({ stdioAllow: [] });
  service.start();
  expect(isAlive(grandchild)).toBe(true);
  await expect.poll(() => isAlive(grandchild)).toBe(false);
  await expect.poll(() => existsSync(join(stand.dataDir, "mcp", ".running", `${program}.json`))).toBe(false);
});

it("a directory that can't be looked at keeps nobody from starting", async () => {
  stand = await openStand();
  writeFileSync(join(stand.dataDir, "mcp"), "not a directory");
  const { service, caller } = stand.node({});
  service.start();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const organization = await stand.organization();
  expect(await caller(organization).call("gateway.list_servers", {})).toMatchObject({
    servers: expect.any(Array),
  });
  rmSync(join(stand.dataDir, "mcp"));
});

it("a stop that comes before leaves the directory alone", async () => {
  stand = await openStand();
  const { service } = stand.node({});
  service.start();
  await service.stop();
  expect(existsSync(join(stand.dataDir, "mcp"))).toBe(false);
});
