import type { Host } from "../../workerd/sandbox/index.ts";
import type { StdioLimits } from "./limits.ts";

/** A program as it is registered. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
}

/** Where programs are looked for: the usual places, and nothing of Ambit's own environment. */
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The whole environment of a program. What is registered wins. Pure. */
export function programEnvironment(
  directory: string,
  path: string | undefined,
  registered: Readonly<Record<string, string>>,
): Record<string, string> {
  return { PATH: path || PATH, HOME: directory, LANG: "C.UTF-8", ...registered };
}

/**
 * The whole command: each part replaces itself by the next, as the user the program runs as, so that the registered
 * environment touches nothing that is privileged. It gets no new privileges, dies with Ambit, and has limits. Where
 * the host lacks a helper its part is left out. Pure.
 */
export function programCommand(
  { command, args }: Program,
  { setpriv, prlimit }: Pick<Host["tools"], "setpriv" | "prlimit">,
  limits: Pick<StdioLimits, "maxOpenFiles" | "maxProcesses" | "maxDataBytes">,
  how: { readonly ownUser: boolean; readonly noFileHard: number },
): readonly [string, ...string[]] {
  const parts: string[] = [];
  if (setpriv) parts.push(setpriv, "--no-new-privs", "--pdeathsig", "KILL");
  if (prlimit) {
    const files = Math.min(limits.maxOpenFiles, how.noFileHard);
    parts.push(prlimit, "--core=0", `--nofile=${files}`, `--data=${limits.maxDataBytes}`);
    // It counts everything the user runs, so it says something only for a user of its own.
    if (how.ownUser) parts.push(`--nproc=${limits.maxProcesses}`);
    // Else it would read the program's options as its own.
    parts.push("--");
  } else if (setpriv) parts.push("--");
  const [first = command, ...rest] = [...parts, command, ...args];
  return [first, ...rest];
}
