import { once } from "node:events";
import { open, rename, rm } from "node:fs/promises";
import type { Writable } from "node:stream";
import type { Connection } from "./connection.ts";
import { requestLedger } from "./ledger-api.ts";
import { limits } from "./limits.ts";
import { Problem } from "./problem.ts";

/**
 * Writes the ledger's export to a file, or to standard output. The file appears only when it is whole, readable by its
 * owner alone, because it holds what is sealed. Returns the number of bytes. Throws Problem.
 */
export async function exportLedger(connection: Connection, path: string | undefined): Promise<number> {
  const stop = new AbortController();
  const interrupt = () => stop.abort(new Problem("The export was interrupted."));
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, interrupt);
  try {
    return path === undefined
      ? await toStream(connection, stop, process.stdout)
      : await toFile(connection, stop, path);
  } catch (error) {
    throw stop.signal.reason instanceof Problem ? stop.signal.reason : error;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
  }
}

async function toFile(connection: Connection, stop: AbortController, path: string): Promise<number> {
  const partial = `${path}.${process.pid}.partial`;
  try {
    const file = await open(partial, "wx", 0o600);
    let bytes = 0;
    try {
      for await (const chunk of chunksOf(connection, stop)) {
        await file.writeFile(chunk);
        bytes += chunk.length;
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
    return bytes;
  } catch (error) {
    await rm(partial, { force: true });
    const { code } = error as NodeJS.ErrnoException;
    throw code === undefined ? error : new Problem(`${path} can't be written (${code}).`);
  }
}

async function toStream(connection: Connection, stop: AbortController, stream: Writable): Promise<number> {
  let bytes = 0;
  // Whoever reads may have seen enough.
  stream.once("error", () => stop.abort(new Problem("Nobody reads the export any more.")));
  for await (const chunk of chunksOf(connection, stop)) {
    if (!stream.write(chunk)) await once(stream, "drain", { signal: stop.signal });
    bytes += chunk.length;
  }
  return bytes;
}

/** The export as it comes; a server that falls silent ends it. Throws Problem. */
async function* chunksOf(connection: Connection, stop: AbortController): AsyncGenerator<Uint8Array> {
  const silence = () => stop.abort(new Problem("The server fell silent in the middle of the export."));
  let timer = setTimeout(silence, limits.callMs);
  try {
    const response = await requestLedger(connection, "GET", "export", stop.signal);
    for await (const chunk of response.body ?? []) {
      clearTimeout(timer);
      yield chunk;
      timer = setTimeout(silence, limits.exportIdleMs);
    }
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem("The server broke the export off; nothing was kept of it.");
  } finally {
    clearTimeout(timer);
  }
}
