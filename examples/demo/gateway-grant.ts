import type { Limit, PolicyDocument, Rule, ToolPolicy } from "@ambit/policy";
import { type Print, timed } from "./agent.ts";
import type { Scan, Scene } from "./gateway-scenes.ts";
import type { MemberApi } from "./member.ts";

/** What the agent is given: a token for one server, and where to use it. */
export interface Grant {
  readonly grant_id: string;
  readonly token: string;
  readonly proxy_url: string;
}

/** What the agent is told by the rules the person adds. */
export const TOLD = {
  elsewhere: "Write your notes where notes are.",
  tooMany: "Two notes a day are enough.",
  asked: "A person looks at it first.",
} as const;

/** One line for each risk: how many tools, of which class, and the first of them. */
export function riskTable({ tools }: Scan): string[] {
  return ["low", "medium", "high", "critical"].flatMap((risk) => {
    const those = tools.filter((tool) => tool.risk === risk);
    if (those.length === 0) return [];
    const classes = [...new Set(those.map((tool) => tool.class))].join(", ");
    const named = those.slice(0, 4).map(({ name }) => name);
    const more = those.length > named.length ? ", …" : "";
    return [
      `     ${risk.padEnd(9)} ${String(those.length).padStart(2)} ${classes.padEnd(12)} ${named.join(", ")}${more}`,
    ];
  });
}

/** The suggested policy, made stricter by the person. */
function stricter({ scan, hidden, writesOnly, writes, asks }: Scene): PolicyDocument {
  const { suggested_policy } = scan;
  const limit: Limit = {
    ...{ counter: "notes", window: "day", max: 2, scope: "grant" },
    on_deny: TOLD.tooMany,
  };
  const only: Rule = { conditions: [writesOnly], on_deny: TOLD.elsewhere };
  const tools: Record<string, ToolPolicy> = {
    ...suggested_policy.tools,
    [writes[0].tool]: { require: [only], limits: [limit] },
    [asks.tool]: { approve_if: [{ conditions: [], on_deny: TOLD.asked }] },
  };
  delete tools[hidden];
  const hide = new Set([...(suggested_policy.hide ?? []), hidden]);
  hide.delete(asks.tool);
  return { ...suggested_policy, hide: [...hide], tools };
}

/** A policy from the suggested one, and a grant that has it. */
export async function giveGrant(
  person: MemberApi,
  scene: Scene,
  appId: string,
  print: Print,
): Promise<Grant> {
  const at = `/v1/gateway/servers/${scene.serverId}`;
  const policy = { name: `notes of ${appId}`, document: stricter(scene) };
  const shown = `takes the suggested policy, stricter: ${scene.hidden} is hidden`;
  const { policy_id } = await timed(print, "a person", shown, () =>
    person<{ policy_id: string }>("POST", `${at}/policies`, policy),
  );
  return timed(print, "a person", "makes a grant for the agent", () =>
    person<Grant>("POST", `${at}/grants`, { label: `agent of ${appId}`, policy_id }),
  );
}
