import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { EgressRules } from "../types.ts";
import { RefusedError } from "./checked-lookup.ts";
import { EGRESS_HEADER } from "./headers.ts";
import { endSoon, renderHead } from "./join.ts";
import { type Destination, refusalOf } from "./rules.ts";

/** Why there is no answer of the other server: what user code is told instead. */
export interface Refusal {
  readonly status: 400 | 403 | 429 | 502 | 504;
  readonly kind: "refused" | "limited" | "failed";
  readonly text: string;
}

export const NOT_A_URL: Refusal = {
  status: 400,
  kind: "refused",
  text: "Only http and https URLs without credentials, and host:port for sockets, can be reached.",
};

/** Why user code may not go there, before anything is looked up; null when it may. */
export function judge(
  destination: Destination | null,
  rules: EgressRules,
  allowPrivate: ReadonlySet<string>,
  busy: boolean,
): Refusal | null {
  if (destination === null) return NOT_A_URL;
  const text = refusalOf(destination, rules, allowPrivate);
  if (text !== null) return { status: 403, kind: "refused", text };
  return busy
    ? { status: 429, kind: "limited", text: "The app has too many connections to the network open." }
    : null;
}

/** What to say of a failure: names the host and no more, details of our network are not for user code. */
export function describe(error: unknown, { host }: Destination): Refusal {
  if (error instanceof RefusedError) return { status: 403, kind: "refused", text: error.message };
  const code = String((error as { code?: unknown }).code);
  const late = code.startsWith("UND_ERR_") && code.endsWith("_TIMEOUT");
  if (/CERT|UNABLE_TO_(GET|VERIFY)|ALTNAME/.test(code))
    return { status: 502, kind: "failed", text: `The certificate of ${host} is not valid.` };
  return late
    ? { status: 504, kind: "failed", text: `${host} did not answer in time.` }
    : { status: 502, kind: "failed", text: `${host} could not be reached.` };
}

/** Tells user code in the place of the other server's answer. */
export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { status, kind, text }: Refusal,
): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  // The rest of a body nobody reads would be taken for the next request.
  if (!request.complete) response.setHeader("connection", "close");
  response
    .writeHead(status, { "content-type": "text/plain; charset=utf-8", [EGRESS_HEADER]: kind })
    .end(`${text}\n`);
}

/** The same on a connection that is no longer the HTTP server's. */
export function endWith(client: Duplex, { status, kind, text }: Refusal): void {
  const body = `${text}\n`;
  const fields = ["content-type", "text/plain; charset=utf-8", EGRESS_HEADER, kind];
  fields.push("content-length", String(Buffer.byteLength(body)), "connection", "close");
  client.resume();
  client.write(renderHead(status, fields) + body);
  endSoon(client);
}
