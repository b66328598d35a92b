import { type IncomingMessage, request as sendRequest } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { hostHeader } from "./forward-request.ts";
import { endToEnd } from "./headers.ts";
import { endSoon, join, renderHead } from "./join.ts";
import { limits } from "./limits.ts";
import type { Destination } from "./rules.ts";

/**
 * Sends a request to switch protocols on over a connection of its own, and joins the two connections when the other
 * server switches. Any other answer is passed on and ends the connection: what follows on it must not go the same
 * way unasked.
 */
export function forwardUpgrade(
  destination: Destination,
  request: IncomingMessage,
  client: Duplex,
  head: Buffer,
  server: Socket,
): void {
  const end = () => void client.destroy();
  const onGone = () => {
    clearTimeout(silence);
    server.destroy();
  };
  const silence = setTimeout(end, limits.headMs).unref();
  client.once("close", onGone);
  server.once("error", end);
  const outgoing = sendRequest({
    createConnection: () => server,
    method: request.method ?? "GET",
    path: destination.path,
    setDefaultHeaders: false,
    headers: [
      ...endToEnd(request.rawHeaders, ["host"]),
      ...["host", hostHeader(destination)],
      ...["connection", "upgrade", "upgrade", request.headers.upgrade ?? ""],
    ],
    maxHeaderSize: limits.headBytes,
  });
  outgoing.once("error", end);
  outgoing.once("upgrade", (answer, _server, rest) => {
    clearTimeout(silence);
    client.off("close", onGone);
    const fields = endToEnd(answer.rawHeaders);
    fields.push("connection", "upgrade", "upgrade", answer.headers.upgrade ?? "");
    client.write(renderHead(answer.statusCode ?? 101, fields));
    if (rest.length > 0) client.write(rest);
    if (head.length > 0) server.write(head);
    join(client, server);
  });
  outgoing.once("response", (answer) => {
    clearTimeout(silence);
    client.write(
      renderHead(answer.statusCode ?? 502, [...endToEnd(answer.rawHeaders), "connection", "close"]),
    );
    answer.pipe(client, { end: false });
    answer.once("end", () => endSoon(client)).once("error", end);
  });
  outgoing.end();
}
