import { type Print, timed } from "./agent.ts";
import { show } from "./checks.ts";
import type { Grant } from "./gateway-grant.ts";
import type { MemberApi } from "./member.ts";

/** A line of the decision log, as far as the demo reads it. */
interface Decision {
  readonly method: string;
  readonly tool: string;
  readonly outcome: string;
  readonly rule: string;
}

/** What the chapter's calls come to, in their order. */
const OUTCOMES = "allow allow deny limit hold allow replay allow";

/** Shows the lines that the grant's calls have left. */
export async function readLog(person: MemberApi, grant: Grant, print: Print): Promise<boolean> {
  const { decisions } = await person<{ decisions: Decision[] }>(
    "GET",
    `/v1/gateway/decisions?grant_id=${grant.grant_id}`,
  );
  const calls = decisions.filter(({ method }) => method === "tools/call").reverse();
  print("\n   the decision log");
  for (const { outcome, tool, rule } of calls) {
    print(`     ${outcome.padEnd(7)} ${tool.padEnd(16)} ${rule}`.trimEnd());
  }
  const outcomes = calls.map(({ outcome }) => outcome).join(" ");
  const isWhole = outcomes === OUTCOMES;
  return show(print, null, [[isWhole, "every call is a line of it, with the rule it rests on"]]);
}

/** Takes the grant away, and tries it once more. */
export async function revoke(person: MemberApi, grant: Grant, print: Print): Promise<boolean> {
  print("");
  await timed(print, "a person", "revokes the grant", () =>
    person("DELETE", `/v1/gateway/grants/${grant.grant_id}`),
  );
  const { status } = await fetch(grant.proxy_url, {
    method: "POST",
    headers: { authorization: `Bearer ${grant.token}`, "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
  });
  return show(print, null, [[status === 401, `its next message is answered ${status}`]]);
}
