import type { Json, JsonObject, LedgerActor, LedgerDraft } from "../ledger/service.ts";
import type { Proposer } from "./types.ts";

const ACTOR: Readonly<Record<Proposer["kind"], LedgerActor["type"]>> = {
  ...{ human: "person", agent: "agent", app: "app", rule: "rule" },
};

/** How the ledger names who proposed. */
export const actorOfProposer = ({ kind, id, accountId }: Proposer): LedgerActor => ({
  type: ACTOR[kind],
  id,
  account: accountId,
});

/** What happened to an action, for the ledger: facts in `data`, everything somebody wrote in `sealed`. */
export function actionEntry(entry: {
  readonly what: "proposed" | "executed" | "rejected" | "failed";
  readonly organizationId: string;
  readonly appId: string | null;
  readonly actionId: string;
  readonly actor: LedgerActor;
  readonly data: JsonObject;
  readonly sealed: { readonly [name: string]: Json | undefined };
}): LedgerDraft {
  const { what, organizationId, appId, actionId, actor, data } = entry;
  const sealed: Record<string, Json> = {};
  for (const [name, value] of Object.entries(entry.sealed)) {
    if (value !== undefined && value !== null) sealed[name] = value;
  }
  return { kind: `substrate.action.${what}`, organizationId, appId, actor, subject: actionId, data, sealed };
}
