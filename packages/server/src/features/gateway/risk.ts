import { classify, type JsonObject } from "@ambit/policy";
import type { GatewayServer } from "../gateway-servers/service.ts";
import type { GatewayContext } from "./context.ts";

/** How dangerous a call is, as the catalogue sees its tool (or the action it names); null when the tool can't be seen. */
export async function riskOf(
  { servers, platform }: GatewayContext,
  server: GatewayServer,
  tool: string,
  args: JsonObject,
): Promise<JsonObject | null> {
  try {
    const definition = (await servers.tools(server)).find(({ name }) => name === tool);
    if (definition === undefined) return null;
    const { risk, class: of, evidence, signals, actions, action_field } = classify(definition);
    const named = action_field === undefined ? undefined : args[action_field];
    const action = actions?.find((each) => each.action === named);
    return {
      class: action?.class ?? of,
      risk: action?.risk ?? risk,
      evidence: (action?.evidence ?? evidence).map(({ source, text }) => `${source}: ${text}`),
      signals: signals.map(({ kind, why }) => `${kind}: ${why}`),
    };
  } catch (error) {
    platform.log.warn({ err: error, server: server.id }, "the risk of a call could not be looked up");
    return null;
  }
}
