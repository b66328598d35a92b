import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Dispatcher } from "undici";
import { EGRESS_HEADER, endToEnd } from "./headers.ts";
import { type Destination, hostPort } from "./rules.ts";

/** The origin as undici keys its connections by it. */
export function originOf(destination: Destination): string {
  return `${destination.secure ? "https" : "http"}://${hostPort(destination)}`;
}

/** What the other server is told is its name: always the one the rules were asked about. */
export function hostHeader(destination: Destination): string {
  const usual = destination.secure ? 443 : 80;
  const named = hostPort(destination);
  return destination.port === usual ? named.slice(0, named.lastIndexOf(":")) : named;
}

/**
 * Sends the request on and streams the answer back, each side as fast as the other takes it. Rejects before anything has
 * been written when there is no answer; a break in the middle of an answer breaks the response.
 */
export async function forwardRequest(
  agent: Dispatcher,
  destination: Destination,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const hasBody =
    request.headers["transfer-encoding"] !== undefined || (request.headers["content-length"] ?? "0") !== "0";
  const answer = await agent.request({
    origin: originOf(destination),
    path: destination.path,
    method: request.method as Dispatcher.HttpMethod,
    headers: [...endToEnd(request.rawHeaders, ["host"]), "host", hostHeader(destination)],
    body: hasBody ? request : null,
    responseHeaders: "raw",
    signal: gone.signal,
  });
  // Only Ambit says what Ambit did. Raw headers are flat, whatever the declaration says.
  const headers = answer.headers as unknown as (string | Buffer)[];
  response.writeHead(answer.statusCode, answer.statusText, endToEnd(headers.map(String), [EGRESS_HEADER]));
  response.flushHeaders();
  try {
    await pipeline(answer.body, response);
  } catch {
    response.destroy();
  }
}
