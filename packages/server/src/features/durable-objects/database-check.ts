import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { limits } from "./limits.ts";

const CHILD = fileURLToPath(new URL("./database-check-child.ts", import.meta.url));

/**
 * What is wrong with a database somebody sent, in a few words; "ok" when nothing is. A schema is code too: expressions
 * of columns are evaluated by the check, for as long as they like. So it runs in a process of its own, within a time
 * limit, and Ambit goes on meanwhile.
 */
export function checkDatabase(file: string, timeoutMs: number = limits.archiveCheckMs): Promise<string> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", CHILD, file],
      { timeout: timeoutMs, killSignal: "SIGKILL", env: {}, maxBuffer: 64 * 1024 },
      (error, output) => {
        if (error === null) resolve(output);
        else resolve(error.killed ? "it takes too long to check" : "it can't be checked");
      },
    );
  });
}
