import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { AmbitError } from "../../kernel/errors.ts";

/** Answers an upgrade request with an error in the one body form, and closes. */
export function refuseUpgrade(socket: Duplex, error: AmbitError, publicUrl: string): void {
  const body = JSON.stringify(error.toBody(publicUrl));
  const headers: Record<string, string> = {
    "content-type": "application/json; charset=utf-8",
    "content-length": String(Buffer.byteLength(body)),
    connection: "close",
    ...(error.status === 401 ? { "www-authenticate": 'Bearer realm="ambit"' } : {}),
    ...error.headers,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\n${lines.join("\r\n")}\r\n\r\n${body}`,
  );
}
