import type { IncomingHttpHeaders } from "node:http";

/** How the answer to a request is to be read. */
export type AnswerKind =
  /** One JSON-RPC message as JSON. */
  | "json"
  /** Messages as an event stream. */
  | "events"
  /** Nothing may come. */
  | "empty"
  /** A status that is no success; its body may be a JSON-RPC error. */
  | "refusal"
  /** Something else. */
  | "other";

/** Decides by the head of an answer. Pure. */
export function kindOfAnswer(status: number, headers: IncomingHttpHeaders): AnswerKind {
  if (status >= 300) return "refusal";
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity") return "other";
  if (status === 202 || status === 204) return "empty";
  const type = mediaType(headers["content-type"]);
  if (type === "application/json") return "json";
  if (type === "text/event-stream") return "events";
  return headers["content-length"] === "0" || type === "" ? "empty" : "other";
}

function mediaType(header: string | string[] | undefined): string {
  const text = Array.isArray(header) ? (header[0] ?? "") : (header ?? "");
  if (text === "application/json" || text === "text/event-stream") return text;
  const semicolon = text.indexOf(";");
  return (semicolon === -1 ? text : text.slice(0, semicolon)).trim().toLowerCase();
}
