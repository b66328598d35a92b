import type { Message } from "../types.ts";
import type { Edit } from "./json-text.ts";
import { asObject, metaOf, SUBSCRIPTION_ID } from "./messages.ts";

/** What a client calls its request, and what it is called on the wire. */
export interface Names {
  readonly clientId: string | number;
  /** Null when the client wants no progress. */
  readonly clientToken: string | number | null;
}

/** The names of a request, as the client gave them. */
export function namesOf(request: Message): Names {
  const token = metaOf(request)?.progressToken;
  return {
    clientId: request.id as string | number,
    clientToken: typeof token === "string" || typeof token === "number" ? token : null,
  };
}

/** The request as it goes out: `wireId` is its id, and its progress token if it has one. */
export function outgoing(request: Message, { clientToken }: Names, wireId: number): Message {
  if (clientToken === null) return { ...request, id: wireId };
  const params = asObject(request.params);
  return {
    ...request,
    id: wireId,
    params: { ...params, _meta: { ...metaOf(request), progressToken: wireId } },
  };
}

/** `notifications/cancelled` for the wire. */
export function cancellation(wireId: number, params: Message = {}): Message {
  return {
    jsonrpc: "2.0",
    method: "notifications/cancelled",
    params: { ...params, requestId: wireId },
  };
}

const idPath = ["id"];
const tokenPath = ["params", "progressToken"];
const subscriptionPaths = [
  ["params", "_meta", SUBSCRIPTION_ID],
  ["result", "_meta", SUBSCRIPTION_ID],
];

/** What has to be put back into an answer. The result of a subscription names the request once more. */
export function answerEdits(answer: Message, wireId: number, names: Names): Edit[] {
  const value = JSON.stringify(names.clientId);
  const edits: Edit[] = [{ path: idPath, value }];
  const subscription = asObject(asObject(answer.result)?._meta)?.[SUBSCRIPTION_ID];
  if (subscription === wireId) edits.push({ path: subscriptionPaths[1]!, value });
  return edits;
}

export const tokenEdits = (clientToken: string | number): Edit[] => [
  { path: tokenPath, value: JSON.stringify(clientToken) },
];

export const subscriptionEdits = (clientId: string | number): Edit[] => [
  { path: subscriptionPaths[0]!, value: JSON.stringify(clientId) },
];
