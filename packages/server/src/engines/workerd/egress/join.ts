import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** Passes bytes both ways, each as fast as the other side takes them. What one side had sent before it ended still arrives. */
export function join(one: Duplex, other: Duplex): void {
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.pipe(to);
    from.once("error", () => to.destroy());
    from.once("close", () => {
      if (from.readableEnded) endSoon(to);
      else to.destroy();
    });
  }
}

/** Ends the connection once everything written has gone out. */
export function endSoon(side: Duplex): void {
  if (side.writableFinished) side.destroy();
  else if (side.writableEnded) side.once("finish", () => side.destroy());
  else side.end(() => side.destroy());
}

/** The head of an answer, for a connection that is no longer the HTTP server's. */
export function renderHead(status: number, fields: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  return `${head}\r\n`;
}
