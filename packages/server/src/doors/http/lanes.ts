import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/**
 * A door for requests too hot, or too much somebody else's, for the router: it gets node's request as it came, before
 * anything has been parsed.
 */
export interface HttpLane {
  /** Whether the lane takes the request; `url` is canonical (see `rewriteUrl`). Called for every request: be quick. */
  matches(url: string): boolean;
  /** Answers the request, whatever happens. */
  handle(request: IncomingMessage, response: ServerResponse, url: string): void;
}

export interface LanesOptions {
  lanes(): readonly HttpLane[];
  canonicalUrl(request: IncomingMessage): string;
  readonly requestTimeoutMs: number;
}

/** An HTTP server that asks the lanes first; what none of them takes goes to `next`. */
export function createLaneServer(
  options: LanesOptions,
  next: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const server = createServer((request, response) => {
    const lanes = options.lanes();
    if (lanes.length > 0) {
      const url = options.canonicalUrl(request);
      for (const lane of lanes) {
        if (lane.matches(url)) {
          lane.handle(request, response, url);
          return;
        }
      }
    }
    next(request, response);
  });
  server.requestTimeout = options.requestTimeoutMs;
  return server;
}
