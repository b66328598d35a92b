import type { Client } from "@modelcontextprotocol/client";
import type { Ambit } from "../../packages/server/src/ambit.ts";
import { call, type Print } from "./agent.ts";
import { show, until } from "./checks.ts";
import { verifyLedger } from "./ledger.ts";
import { asMember, type MemberApi } from "./member.ts";

/** What a proposal comes to, as far as the demo reads it. */
interface Proposed {
  readonly action_id: string;
  readonly requires_approval: boolean;
  readonly approval_url?: string;
  readonly verdict: { readonly result: string; readonly reason: string };
  readonly result?: Record<string, unknown>;
}

/** An action, as far as the demo reads it. */
interface Action {
  readonly status: string;
  readonly rejected_reason: string | null;
}

interface Found {
  readonly results: readonly { readonly title: string }[];
}

interface Stage {
  readonly agent: Client;
  readonly print: Print;
  readonly person: MemberApi;
  /** What this run's principle is about, so that the demo can be played again on the same memory. */
  readonly project: string;
  propose(capability: string, payload: object, shown: string): Promise<Proposed>;
}

const THRESHOLD = 1_000;
const PERIOD = "Demo suppliers are paid weekly";
/** The amount that is refused, altered by one digit wherever its entry tells of it. */
const AMOUNT = { genuine: '"amount":2500', forged: '"amount":9500', told: "one digit altered" };

/**
 * The agent writes to the memory over MCP: what needs nobody is done at once, what does not waits for a person, who
 * decides over HTTP. True when all went as it should, and the ledger says so too.
 */
export async function playSubstrate(
  ambit: Ambit,
  agent: Client,
  project: string,
  print: Print,
): Promise<boolean> {
  const person = asMember(ambit);
  const stage: Stage = {
    ...{ agent, print, person, project },
    propose: async (capability, payload, shown) =>
      (await call(agent, print, "propose_action", { capability, payload }, shown)) as unknown as Proposed,
  };
  const parts = [
    await remember(stage),
    await setPrinciple(stage),
    await overThreshold(stage),
    await search(stage),
    await verifyLedger(ambit, agent, AMOUNT, print),
  ];
  return parts.every(Boolean);
}

/** What runs at once: a supplier, a decision, and what is owed. */
async function remember({ propose, project, print }: Stage): Promise<boolean> {
  const company = {
    ...{ type: "company", display_name: "Linden Paper", primary_email: "office@linden.example" },
    attrs: { supplies: "paper" },
  };
  const supplier = await propose("upsert_entity", company, "an entity: the company Linden Paper");
  const to_entity = supplier.result?.entity_id;
  const decision = { title: PERIOD, kind: "operational", rationale: "They gave us better prices for it." };
  const decided = await propose("record_decision", decision, `a decision: ${PERIOD.toLowerCase()}`);
  const owed = { description: "Paper for May", status: "confirmed", to_entity, attrs: { project } };
  const promised = await propose(
    "record_commitment",
    { ...owed, amount: 400, unit: "EUR" },
    "a commitment: 400 EUR",
  );
  const all = [supplier, decided, promised];
  const verdicts = [...new Set(all.map(({ verdict }) => verdict.result))];
  return show(print, null, [
    [String(verdicts) === "auto_approved", `all three are done at once: ${verdicts}`],
    [all.every(({ result }) => result !== undefined), "and each has the id of what was written"],
  ]);
}

/** A rule for what comes: only a person puts one into force. */
async function setPrinciple({ propose, agent, person, project, print }: Stage): Promise<boolean> {
  const principle = {
    title: `Above ${THRESHOLD} EUR a person decides`,
    applies_to: { capability: "record_commitment", "attrs.project": project },
    constraint_spec: { type: "approval_above", params: { field: "amount", threshold: THRESHOLD } },
  };
  print("");
  const { action_id, requires_approval, approval_url } = await propose(
    "record_principle",
    principle,
    `a principle: above ${THRESHOLD} EUR a person decides`,
  );
  const own = await agent.callTool({ name: "approve_action", arguments: { action_id } });
  const approved = await person<Action>("POST", `/v1/me/substrate/actions/${action_id}/approve`, {});
  return show(print, null, [
    [requires_approval, `it waits for a person: ${approval_url}`],
    [own.isError === true, "the agent can't say yes to itself"],
    [approved.status === "executed", `a person says yes, and it is ${approved.status}`],
  ]);
}

/** What the principle is about waits now, and a person can say no. */
async function overThreshold({ propose, agent, person, project, print }: Stage): Promise<boolean> {
  const order = { description: "Paper for a year", status: "proposed", attrs: { project } };
  print("");
  const { action_id, requires_approval, verdict } = await propose(
    "record_commitment",
    { ...order, amount: 2_500, unit: "EUR" },
    "a commitment: 2,500 EUR",
  );
  const reason = "Ask for an offer first";
  await person("POST", `/v1/me/substrate/actions/${action_id}/reject`, { reason });
  const answer = await agent.callTool({
    name: "manage_substrate",
    arguments: { action: "get_action", action_id },
  });
  const read = answer.structuredContent as unknown as Action;
  return show(print, null, [
    [requires_approval, `it waits: ${verdict.reason}`],
    [
      read.status === "rejected" && read.rejected_reason === reason,
      `a person says no, and the agent reads why: “${read.rejected_reason}”`,
    ],
  ]);
}

/** Words are found as they are meant, once the memory has counted those it has: a few seconds after they were written. */
async function search({ agent, print }: Stage): Promise<boolean> {
  const q = "supliers weekly";
  const args = { action: "search_memory", q, kinds: "decisions", limit: 3 };
  const look = async (show: Print) =>
    (await call(agent, show, "manage_substrate", args, `search_memory: ${q}`)) as unknown as Found;
  await until(async () => (await look(() => {})).results[0] ?? null);
  print("");
  const { results } = await look(print);
  const title = results[0]?.title;
  return show(print, null, [[title === PERIOD, `finds what was meant: “${title ?? "nothing"}”`]]);
}
