import { existsSync, mkdirSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { dataDirectory } from "./kernel/config.ts";

/**
 * Lets Node keep what it compiled, in the data directory and for this user alone: reading it back takes half as long
 * as compiling it again. The very first start has no directory yet and does without.
 */
export function useCompileCache(env: NodeJS.ProcessEnv): void {
  const dataDir = dataDirectory(env);
  if (!existsSync(dataDir)) return;
  const directory = join(dataDir, "cache");
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    // It is there already, or it can't be: then the start itself says what is wrong.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") return;
  }
  enableCompileCache(directory);
}
