import { askThrough } from "../bridge/collect.ts";
import type { StatelessFace } from "../bridge/index.ts";
import { asObject, errorCodeOf, kindOf, parseMessage, RPC } from "../channel/messages.ts";
import { ownClientInfo } from "../channel/sessions.ts";
import { argumentAt, headerTextOf, type RepeatedArgument, repeatedArguments } from "../param-headers.ts";
import type { Message, UpstreamHead, UpstreamListener, UpstreamMessage, UpstreamRequest } from "../types.ts";
import { headerValue } from "./headers.ts";

type Repeated = ReadonlyMap<string, readonly RepeatedArgument[]>;

/** Pages of the server's list of tools that are looked at. */
const PAGES = 50;

/**
 * Calls of tools with the headers that repeat their arguments, for clients that know nothing of such headers. Which ones
 * a tool wants is learnt when the server misses one: such a call has not run, and is sent once more.
 */
export function createMirroring({ send }: Pick<StatelessFace, "send">): Pick<StatelessFace, "send"> {
  let known: Repeated = new Map();

  const learn = async (signal: AbortSignal): Promise<void> => {
    const found = new Map<string, readonly RepeatedArgument[]>();
    let cursor: unknown;
    for (let page = 0; page < PAGES; page += 1) {
      const params = cursor === undefined ? {} : { cursor };
      const result = asObject(
        await askThrough(send, ownClientInfo, { method: "tools/list", params, signal }),
      );
      for (const tool of Array.isArray(result?.tools) ? result.tools : []) {
        const { name, inputSchema } = asObject(tool) ?? {};
        const repeated = repeatedArguments(inputSchema);
        if (typeof name === "string" && repeated.length > 0) found.set(name, repeated);
      }
      cursor = result?.nextCursor;
      if (typeof cursor !== "string") break;
    }
    known = found;
  };
  const withHeaders = (request: UpstreamRequest): UpstreamRequest => {
    const headers = headersFor(known, request.message);
    return headers === null ? request : { ...request, headers: { ...request.headers, ...headers } };
  };

  return {
    send(request, listener) {
      if (request.message.method !== "tools/call") return send(request, listener);
      send(
        withHeaders(request),
        unlessMismatch(listener, (passOn) => {
          // What is wrong with the question says nothing of the call: its own refusal is handed on.
          learn(request.signal).then(() => send(withHeaders(request), listener), passOn);
        }),
      );
    },
  };
}

/** The headers a call needs; null when it needs none. Pure. */
export function headersFor(known: Repeated, { params }: Message): Record<string, string> | null {
  const { name, arguments: args } = asObject(params) ?? {};
  const repeated = typeof name === "string" ? known.get(name) : undefined;
  if (repeated === undefined) return null;
  const headers: Record<string, string> = {};
  for (const { header, path } of repeated) {
    const text = headerTextOf(argumentAt(args, path));
    if (typeof text === "string") headers[header] = headerValue(text);
  }
  return headers;
}

/** Hands everything on, but for a refusal because of headers: of that `onMismatch` hears, once all of it is there. */
function unlessMismatch(
  listener: UpstreamListener,
  onMismatch: (passOn: () => void) => void,
): UpstreamListener {
  let held: UpstreamHead | null = null;
  let refusal: UpstreamMessage | null = null;
  const pass = (message: UpstreamMessage) => {
    if (held !== null) listener.onHead(held);
    held = null;
    return listener.onMessage(message);
  };
  return {
    onHead(head) {
      if (head.status === 400) held = head;
      else listener.onHead(head);
    },
    onMessage(message) {
      if (held === null || !isMismatch(message)) return pass(message);
      refusal = message;
    },
    onEnd() {
      const refused = refusal;
      if (refused !== null) {
        onMismatch(async () => {
          await pass(refused);
          listener.onEnd();
        });
        return;
      }
      if (held !== null) listener.onHead(held);
      listener.onEnd();
    },
    onFailure: (failure) => listener.onFailure(failure),
  };
}

function isMismatch({ text, parsed }: UpstreamMessage): boolean {
  const message = parsed ?? parseMessage(text);
  return message !== null && kindOf(message) === "answer" && errorCodeOf(message) === RPC.headerMismatch;
}
