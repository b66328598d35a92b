import { STATUS_CODES } from "node:http";
import type { AmbitError } from "../../../kernel/errors.ts";
import type { AnswerHead } from "./answer-head.ts";

/** Answers on sockets that asked for an upgrade: there is no ServerResponse for them. All are written as Latin-1. */

/** Switches protocols. `protocol` is added unless user code chose one. */
export function switchingHead(head: AnswerHead, protocol: string | null): string {
  let text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  let chosen = false;
  for (let at = 0; at < head.headers.length; at += 2) {
    const name = head.headers[at]!;
    chosen ||= name.toLowerCase() === "sec-websocket-protocol";
    text += `${name}: ${head.headers[at + 1]}\r\n`;
  }
  if (!chosen && protocol !== null && /^[\x21-\x7e]+$/.test(protocol)) {
    text += `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  }
  return `${text}\r\n`;
}

/** A plain answer instead of an upgrade; its body ends where the connection does, unless it says its length. */
export function plainHead(head: AnswerHead): string {
  let text = `HTTP/1.1 ${head.status} ${head.reason || STATUS_CODES[head.status] || "Unknown"}\r\n`;
  for (let at = 0; at < head.headers.length; at += 2)
    text += `${head.headers[at]}: ${head.headers[at + 1]}\r\n`;
  return `${text}Connection: close\r\n\r\n`;
}

/** A whole error. */
export function errorAnswer(error: AmbitError, documentationBase: string): string {
  const body = JSON.stringify(error.toBody(documentationBase));
  let text = `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? "Error"}\r\n`;
  for (const [name, value] of Object.entries(error.headers)) text += `${name}: ${value}\r\n`;
  const bytes = Buffer.byteLength(body);
  text += `Content-Type: application/json; charset=utf-8\r\nContent-Length: ${bytes}\r\nX-Content-Type-Options: nosniff\r\n`;
  return `${text}Connection: close\r\n\r\n${Buffer.from(body).toString("latin1")}`;
}
