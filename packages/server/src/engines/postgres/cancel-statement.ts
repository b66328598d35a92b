import { connect } from "node:net";
import type pg from "pg";

/** CancelRequest's own code in the place of a protocol version (manual, 54.7). */
const CANCEL_REQUEST = 80_877_102;
const MESSAGE_BYTES = 16;

/** What the driver knows of its connection and leaves out of its types. */
interface Backend {
  readonly host: string;
  readonly port: number;
  readonly processID: number | null;
  readonly secretKey: number | null;
}

/**
 * Asks Postgres to stop what a connection is running: a server whose client is gone works on until it has something
 * to send. Fire and forget; the request goes over a connection of its own and needs no log-in.
 */
export function cancelStatement(client: pg.Client): void {
  const { host, port, processID, secretKey } = client as unknown as Backend;
  if (processID === null || secretKey === null) return;
  const message = Buffer.alloc(MESSAGE_BYTES);
  for (const [i, part] of [MESSAGE_BYTES, CANCEL_REQUEST, processID, secretKey].entries()) {
    message.writeInt32BE(part, i * 4);
  }
  const socket = host.startsWith("/") ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  // Whoever is not reached runs into its time limit instead.
  socket.on("error", () => {});
  socket.end(message);
}
