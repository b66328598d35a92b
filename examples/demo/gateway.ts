import { isDeepStrictEqual } from "node:util";
import type { CallToolResult, Client } from "@modelcontextprotocol/client";
import type { Ambit } from "../../packages/server/src/ambit.ts";
import { attempt, connectAgent, type Print, timed } from "./agent.ts";
import { show } from "./checks.ts";
import { giveGrant, riskTable, TOLD } from "./gateway-grant.ts";
import { readLog, revoke } from "./gateway-log.ts";
import { type Scene, setScene } from "./gateway-scenes.ts";
import { verifyLedger } from "./ledger.ts";
import { asMember, type MemberApi } from "./member.ts";

interface Stage {
  readonly scene: Scene;
  /** The agent, with its grant. */
  readonly agent: Client;
  readonly person: MemberApi;
  readonly print: Print;
}

/** What waits for a person, as far as the demo reads it. */
interface Approval {
  readonly title: string;
  readonly status: string;
  readonly request: { readonly arguments: object };
  readonly preview_hash: string;
}

/** A refusal made an allowance. */
const REFUSAL = {
  ...{ genuine: "gateway.limit", forged: "gateway.allow" },
  told: "a refusal made an allowance",
};

/**
 * A person puts an MCP server behind the gateway and gives the agent a grant with a policy. The agent calls its tools: some
 * calls run, some are denied, one waits for the person. True when all went as it should, and the log and the ledger say so.
 */
export async function playGateway(
  ambit: Ambit,
  agent: Client,
  appId: string,
  print: Print,
): Promise<boolean> {
  const person = asMember(ambit);
  const scene = await setScene(person, appId, print);
  for (const line of riskTable(scene.scan)) print(line);
  const grant = await giveGrant(person, scene, appId, print);
  const granted = await connectAgent(grant.proxy_url, grant.token);
  try {
    const stage: Stage = { scene, agent: granted, person, print };
    const parts = [
      await withinPolicy(stage),
      await withPerson(stage),
      await readLog(person, grant, print),
      await verifyLedger(ambit, agent, REFUSAL, print),
      await revoke(person, grant, print),
    ];
    return parts.every(Boolean);
  } finally {
    await granted.close();
    await scene.end();
  }
}

/** What the policy lets through, and what it does not. */
async function withinPolicy({ agent, scene, print }: Stage): Promise<boolean> {
  const { hidden, scan, writes, elsewhere } = scene;
  print("");
  const { tools } = await timed(print, "tools/list", "what the agent sees of it", () => agent.listTools());
  const isListed = tools.some(({ name }) => name === hidden);
  const made: CallToolResult[] = [];
  for (const { tool, args, shown } of [...writes.slice(0, 2), elsewhere, writes[2]]) {
    made.push(await attempt(agent, print, tool, args, shown));
  }
  const [first, second, denied, limited] = made.map((result) => ({ ...result, ...decisionOf(result) }));
  return show(print, null, [
    [!isListed && tools.length < scan.tools.length, `of ${scan.tools.length} tools it sees ${tools.length}`],
    [!first?.isError && !second?.isError, "what the policy allows reaches the server"],
    [
      denied?.outcome === "deny" && textOf(denied).includes(TOLD.elsewhere),
      `what it denies does not: “${textOf(denied)}”`,
    ],
    [
      limited?.outcome === "limit" && (limited.retry_after_s ?? 0) > 0,
      `nor what is too much: “${textOf(limited)}”`,
    ],
  ]);
}

/** A call that a person is asked about: it runs when it is made again, once. */
async function withPerson({ agent, scene, person, print }: Stage): Promise<boolean> {
  const { asks, proof } = scene;
  print("");
  const ask = () => attempt(agent, print, asks.tool, asks.args, asks.shown);
  const { outcome, approval_id } = decisionOf(await ask());
  const approval = `/v1/approvals/${approval_id}`;
  const waiting = await timed(print, "a person", "reads the exact arguments", () =>
    person<Approval>("GET", approval),
  );
  await timed(print, "a person", "approves", () =>
    person("POST", `${approval}/approve`, { preview_hash: waiting.preview_hash }),
  );
  const done = await ask();
  const again = decisionOf(await ask());
  const seen = await attempt(agent, print, proof.tool, proof.args, proof.shown);
  return show(print, null, [
    [outcome === "hold" && waiting.status === "pending", `it waits in the inbox: ${waiting.title}`],
    [isDeepStrictEqual(waiting.request.arguments, asks.args), "the person sees exactly what would run"],
    [!done.isError, "made again once it is approved, it runs"],
    [again.outcome === "replay", "made once more, it gets the same answer and does not run again"],
    [textOf(seen).includes(proof.holds), "and the server has done it"],
  ]);
}

const decisionOf = (result: CallToolResult) =>
  (result._meta?.["ambit/decision"] ?? {}) as {
    readonly outcome?: string;
    readonly approval_id?: string;
    readonly retry_after_s?: number;
  };

const textOf = (result: Pick<CallToolResult, "content"> | undefined): string =>
  result?.content.map((part) => (part.type === "text" ? part.text : "")).join(" ") ?? "";
