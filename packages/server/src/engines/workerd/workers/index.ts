import { readFileSync } from "node:fs";

/** JavaScript of ours that runs inside workerd, by file name, as text for the configuration. */
export type WorkerModule = (typeof NAMES)[number];

const NAMES = [
  "actor-log.js",
  "actor.js",
  "butterbase.js",
  "callbacks.js",
  "front.js",
  "function-context.js",
  "function-log.js",
  "function.js",
  "inspect.js",
  "log-text.js",
  "no-logs.js",
  "render-value.js",
  "router.js",
  "run-log.js",
  "storage-limits.js",
  "substrate.js",
  "tail-batch.js",
] as const;

const texts = new Map(NAMES.map((name) => [name, readFileSync(new URL(name, import.meta.url), "utf8")]));

export function workerModule(name: WorkerModule): string {
  return texts.get(name)!;
}
