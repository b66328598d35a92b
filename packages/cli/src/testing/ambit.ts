import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The command as it is installed. */
export const BIN = fileURLToPath(new URL("../../bin/ambit.js", import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `ambit` with nothing in its environment but what is given and PATH. */
export function start(
  args: readonly string[],
  { env = {}, cwd = "." }: { env?: Record<string, string>; cwd?: string } = {},
) {
  const child = spawn(process.execPath, [BIN, ...args], { cwd, env: { PATH: process.env.PATH, ...env } });
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => (said.stdout += chunk));
  child.stderr.on("data", (chunk) => (said.stderr += chunk));
  child.stdin.on("error", () => {});
  const ended = new Promise<Ran>((resolve) => child.on("close", (code) => resolve({ code, ...said })));
  return { child, said, ended };
}

/** Runs it to its end, with this on its standard input. */
export function run(
  args: readonly string[],
  { input = "", ...options }: { input?: string; env?: Record<string, string>; cwd?: string } = {},
): Promise<Ran> {
  const { child, ended } = start(args, options);
  child.stdin.end(input);
  return ended;
}
