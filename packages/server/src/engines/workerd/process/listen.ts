import { join } from "node:path";
import type { WorkerdProcess } from "./types.ts";

/**
 * Options for `server.listen` of a socket workerd is to connect to. Anybody who reaches the directory may connect, and
 * only the program's user and Ambit do: without this, user code under a user of its own is refused.
 */
export function listenIn(process: Pick<WorkerdProcess, "socketsDir">, name: string) {
  return { path: join(process.socketsDir, name), readableAll: true, writableAll: true };
}
