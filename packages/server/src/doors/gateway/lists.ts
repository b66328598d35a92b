import type { Message } from "../../engines/upstream/types.ts";
import type { Admission, GatewayService } from "../../features/gateway/service.ts";
import { isResponse } from "./answer.ts";
import { isObject } from "./shapes.ts";

/** What to do about tools in a message: pass it as it is, take out what the grant may not see, or keep it back. */
export type ListCheck = "none" | "filter" | "unreadable";

/** What a message answers: tools/list, which has to list tools; another method; or nobody knows any more. */
export type Answered = "tools" | "other" | "unknown";

/** Whether a message lists tools. Pure. */
export function checkList(message: Message, answered: Answered): ListCheck {
  if (!isResponse(message) || message.error !== undefined) return "none";
  const { result } = message;
  if (!isObject(result)) return answered === "tools" ? "unreadable" : "none";
  if (Array.isArray(result.tools)) return "filter";
  if (answered === "other") return "none";
  return answered === "tools" || result.tools !== undefined ? "unreadable" : "none";
}

/**
 * The text of a message whose result has a list of tools, with what this grant may see: order and every other field are
 * kept, and it may be cached for this client alone.
 */
export async function filteredText(
  gateway: GatewayService,
  admission: Admission,
  message: Message,
): Promise<string> {
  const result = await gateway.filterTools(admission, message.result as { tools: readonly unknown[] });
  const { cacheScope } = result as { cacheScope?: unknown };
  const kept = cacheScope === undefined ? result : { ...result, cacheScope: "private" };
  return JSON.stringify({ ...message, result: kept });
}
