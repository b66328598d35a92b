import { errors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** What a proxy URL names. */
export interface GatewayTarget {
  /** The server's UUID in lower case, `ambit`, or `ambit-verbs`. */
  readonly serverRef: string;
  /** `?tools=verbs`: the tools that are one operation each, which the server's must be then. */
  readonly verbs: boolean;
}

const PROXY_URL = /^\/mcp\/(ambit|ambit-verbs|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/?(?:\?|$)/i;

/** Whether a URL is `/mcp/<server>` with or without a slash at its end; `/mcp` itself is not. Pure. */
export const isGatewayUrl = (url: string): boolean => url.startsWith("/mcp/") && PROXY_URL.test(url);

/** What a URL names that `isGatewayUrl` takes. Throws REQUEST_ERROR for a query that means nothing here. */
export function readGatewayUrl(url: string): GatewayTarget {
  if (url.length > limits.urlChars) {
    throw errors.REQUEST_ERROR({ message: `The URL is longer than ${limits.urlChars} characters.` });
  }
  const named = PROXY_URL.exec(url)![1]!.toLowerCase();
  const verbs = readVerbs(url);
  return { serverRef: verbs && named === "ambit" ? "ambit-verbs" : named, verbs };
}

function readVerbs(url: string): boolean {
  const query = url.indexOf("?");
  if (query === -1) return false;
  const tools = new URLSearchParams(url.slice(query + 1)).getAll("tools");
  if (tools.length === 0) return false;
  if (tools.length === 1 && tools[0] === "verbs") return true;
  throw errors.REQUEST_ERROR({
    message: "The query parameter tools has only one value: verbs.",
    remediation: "Leave it out for the manage_* tools, or send ?tools=verbs for one tool per operation.",
  });
}
