import type { JsonObject } from "@ambit/policy";
import type { Era, Message } from "../../engines/upstream/types.ts";
import { CAPABILITIES_KEY } from "./codes.ts";
import { limits } from "./limits.ts";
import { folded, isObject } from "./shapes.ts";

/** What a tools/call asks for. */
export interface ToolCall {
  readonly tool: string;
  /** `{}` when it gives none. */
  readonly args: JsonObject;
  /** The state of a call that this gateway asked to be made again, as the judge knows it; null without one of ours. */
  readonly ownState: string | null;
  /** Whether the caller can be sent to a page. */
  readonly opensUrls: boolean;
}

/** Marks the states that go out from here: anything else is the upstream's. */
const OWN_STATE = "ambit.";

/** What a state of the judge's looks like to clients. Pure. */
export const markState = (state: string): string => OWN_STATE + state;

const KNOWN: ReadonlySet<string> = new Set([
  "_meta",
  "name",
  "arguments",
  "task",
  "inputResponses",
  "requestState",
]);
const KNOWN_FOLDED: ReadonlySet<string> = new Set([...KNOWN].map(folded));

/** Decodes the params of a tools/call; what is wrong with them otherwise. Pure. */
export function readToolCall(
  params: JsonObject | undefined,
  era: Era,
  meta: JsonObject | undefined,
): ToolCall | string {
  if (params === undefined) return "tools/call needs params";
  for (const key of Object.keys(params)) {
    if (!KNOWN.has(key) && KNOWN_FOLDED.has(folded(key))) {
      return `unclear member ${JSON.stringify(key.slice(0, 40))}`;
    }
  }
  const { name, arguments: args, requestState: state, inputResponses: responses } = params;
  if (typeof name !== "string") return "name must be a text";
  if (name.length > limits.toolChars) return `name is longer than ${limits.toolChars} characters`;
  if (args !== undefined && !isObject(args)) return "arguments must be an object";
  if (state !== undefined && typeof state !== "string") return "requestState must be a text";
  if (responses !== undefined && !isObject(responses)) return "inputResponses must be an object";
  return {
    tool: name,
    args: args ?? {},
    ownState: state?.startsWith(OWN_STATE) ? state.slice(OWN_STATE.length) : null,
    opensUrls: era === "stateless" && opensUrls(meta),
  };
}

function opensUrls(meta: JsonObject | undefined): boolean {
  const capabilities = meta?.[CAPABILITIES_KEY];
  if (!isObject(capabilities) || !isObject(capabilities.elicitation)) return false;
  return isObject(capabilities.elicitation.url);
}

/** The message as the upstream is to get it: what answers a question of ours is no business of its. Pure. */
export function withoutOwnState(message: Message): Message {
  const { inputResponses: _answers, requestState: _state, ...params } = message.params as JsonObject;
  return { ...message, params };
}
