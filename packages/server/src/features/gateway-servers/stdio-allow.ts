import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import type { Log } from "../../kernel/log.ts";
import { serverErrors } from "./errors.ts";

/** The programs that may be started as MCP servers. */
export interface AllowedCommands {
  /** The absolute path of a command as it is registered. Throws GATEWAY_COMMAND_NOT_ALLOWED. */
  pathOf(command: string): string;
}

/**
 * Resolves what the operator listed, once, at the start: absolute paths stand for themselves, bare names are looked up in
 * the operator's PATH. What can't be found can't be started, and is said in the log.
 */
export function resolveAllowed(listed: readonly string[], path: string, log: Log): AllowedCommands {
  const paths = new Map<string, string>();
  for (const entry of listed) {
    const found = isAbsolute(entry) ? entry : onPath(entry, path);
    if (found === null) log.warn({ command: entry }, "AMBIT_STDIO_ALLOW lists a command that is not on PATH");
    else paths.set(entry, found);
  }
  return {
    pathOf(command) {
      const found = paths.get(command);
      if (found !== undefined) return found;
      const message = `The operator of this server does not allow the command ${command.slice(0, 200)}: AMBIT_STDIO_ALLOW does not list it.`;
      throw serverErrors.GATEWAY_COMMAND_NOT_ALLOWED({ message });
    },
  };
}

function onPath(name: string, path: string): string | null {
  for (const directory of path.split(delimiter)) {
    // A relative entry of PATH would mean another program in every directory.
    if (!isAbsolute(directory)) continue;
    const file = join(directory, name);
    if (isProgram(file)) return file;
  }
  return null;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
