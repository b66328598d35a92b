import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "./api.ts";
import { must } from "./app.ts";
import type { Server } from "./server.ts";

export type AccessMode = "public" | "authenticated" | "service_key";

/** Deploys a class; throws with the error body when it is refused. */
export async function deployActor(
  owner: Api,
  appId: string,
  name: string,
  code: string,
  accessMode: AccessMode = "public",
): Promise<{ id: string; name: string; status: string; class_name: string }> {
  return must(await owner("POST", `/v1/${appId}/durable-objects`, { name, code, access_mode: accessMode }));
}

/** Sets a variable that all classes of the app see. */
export async function setActorEnv(owner: Api, appId: string, key: string, value: string): Promise<void> {
  must(await owner("PUT", `/v1/${appId}/durable-objects/env/${key}`, { value }));
}

/** `/v1/<app>/do/<class>/<instance>` */
export const actorPath = (appId: string, name: string, instance: string, rest = "") =>
  `/v1/${appId}/do/${name}/${instance}${rest}`;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): Process[] {
  const found: Process[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z") continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").replaceAll("\0", " ");
      found.push({ pid: Number(entry), parent: Number(parent), command });
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/**
 * The processes that run an app's classes, also those that a dead Ambit left behind: whatever names the app's directory
 * in its command line, and all their descendants.
 */
export function actorProcesses(dataDir: string, appId: string): number[] {
  const all = processes();
  const directory = `${dataDir}/workerd/${appId}/actors`;
  const mine = new Set(all.filter(({ command }) => command.includes(directory)).map(({ pid }) => pid));
  for (let size = -1; size !== mine.size; ) {
    size = mine.size;
    for (const { pid, parent } of all) if (mine.has(parent)) mine.add(pid);
  }
  return [...mine];
}

/** Those of them that are workerd itself. */
export function workerdProcesses(dataDir: string, appId: string): number[] {
  return actorProcesses(dataDir, appId).filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/exe`).endsWith("/workerd");
    } catch {
      return false;
    }
  });
}

/** kill -9 of the workerd that runs an app's classes; false when none runs. */
export function killActors(server: Pick<Server, "dataDir">, appId: string): boolean {
  const pids = workerdProcesses(server.dataDir, appId);
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It was gone already.
    }
  }
  return pids.length > 0;
}

/** Resolves once `look` gives something other than undefined or false; rejects after the time. */
export async function eventually<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
  withinMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(25);
  }
}
