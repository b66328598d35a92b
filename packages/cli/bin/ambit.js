#!/usr/bin/env node
// Ambit runs its TypeScript sources as they are, which takes Node 24. An older Node hands over to the one that was
// installed along with Ambit; this file therefore keeps to what older versions understand.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const LEAST_MAJOR = 24;

if (Number.parseInt(process.versions.node, 10) >= LEAST_MAJOR) await import("../src/main.ts");
else handOver();

function handOver() {
  const node = installedNode(dirname(fileURLToPath(import.meta.url)));
  if (node === undefined) {
    process.stderr.write(`ambit needs Node ${LEAST_MAJOR} or newer; this is ${process.versions.node}.\n`);
    process.exit(1);
  }
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    process.stderr.write(`ambit can't run ${node}: ${error.message}\n`);
    process.exit(1);
  });
  child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

/** The nearest `node_modules/.bin/node` above a directory. */
function installedNode(from) {
  const name = process.platform === "win32" ? "node.cmd" : "node";
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, "node_modules", ".bin", name);
    if (existsSync(candidate)) return candidate;
    if (directory === dirname(directory)) return undefined;
  }
}
