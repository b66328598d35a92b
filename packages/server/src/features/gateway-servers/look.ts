import { type Upstream, UpstreamError } from "../../engines/upstream/types.ts";
import { readTools, type SeenTool, unreadable } from "./definitions.ts";
import { serverErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/**
 * All tools a server lists, page by page. Throws GATEWAY_UPSTREAM_FAILED when it does not answer, GATEWAY_TOOLS_UNREADABLE
 * and QUOTA_GATEWAY_TOOLS for what it answers: then none of it may be used.
 */
export async function lookAt(upstream: Pick<Upstream, "ask">, signal: AbortSignal): Promise<SeenTool[]> {
  const tools: unknown[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < limits.pages; page++) {
    const answer: unknown = await ask(upstream, cursor, signal);
    const { tools: some, nextCursor } = (answer ?? {}) as { tools?: unknown; nextCursor?: unknown };
    if (!Array.isArray(some)) throw unreadable("It answers tools/list without a list of tools.");
    tools.push(...some);
    // Read as they come, so that what is too much is not gathered first.
    if (tools.length > limits.tools) return readTools(tools);
    if (nextCursor === undefined || nextCursor === null || nextCursor === "") return readTools(tools);
    if (typeof nextCursor !== "string" || nextCursor.length > limits.cursorChars) {
      throw unreadable("It names the next page of its tools by what is no cursor.");
    }
    cursor = nextCursor;
  }
  throw serverErrors.QUOTA_GATEWAY_TOOLS({
    message: `It lists its tools on more than ${limits.pages} pages.`,
  });
}

async function ask(
  upstream: Pick<Upstream, "ask">,
  cursor: string | null,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    return await upstream.ask("tools/list", cursor === null ? {} : { cursor }, signal);
  } catch (error) {
    const why = error instanceof UpstreamError ? error.message : signal.aborted ? "It took too long." : null;
    const message = `The MCP server did not list its tools${why === null ? "." : `: ${why}`}`;
    throw serverErrors.GATEWAY_UPSTREAM_FAILED({ message, cause: error });
  }
}
