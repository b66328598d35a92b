import { ServerResponse } from "node:http";
import { answerHeaders, isForbidden } from "./headers.ts";

/**
 * Has whatever is answered leave with the headers it must have and without those it may not, whoever writes it: user
 * code's answer through the engine, or an error. One place, so that no way out is forgotten.
 */
export function sealAnswer(response: ServerResponse, requestId: string, ownHost: boolean): void {
  response.writeHead = ((status: number, reason?: string | object, headers?: readonly string[]) => {
    // Its own methods again: node calls them from within.
    response.writeHead = writeHead;
    if (Array.isArray(headers)) {
      return response.writeHead(status, reason as string, answerHeaders(headers, requestId, ownHost));
    }
    for (const name of response.getHeaderNames()) {
      if (isForbidden(name, ownHost)) response.removeHeader(name);
    }
    const ours = answerHeaders([], requestId, ownHost);
    for (let i = 0; i < ours.length; i += 2) response.setHeader(ours[i]!, ours[i + 1]!);
    return typeof reason === "string"
      ? response.writeHead(status, reason)
      : response.writeHead(status, reason as never);
  }) as typeof response.writeHead;
}

const { writeHead } = ServerResponse.prototype;
