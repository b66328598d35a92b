import { errors } from "../../kernel/errors.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { JsonObject } from "../ledger/service.ts";
import { approvalUrl, type SubstrateContext } from "./context.ts";
import { substrateErrors } from "./errors.ts";
import { problemWithin, resultWithin } from "./scope.ts";
import { type ActionFilter, type ActionRow, selectAction, selectActions } from "./store.ts";
import { actionView, approvalView } from "./view.ts";

/** An action with its approval, or null; `appId` narrows to what that app proposed. */
export async function actionById(
  context: SubstrateContext,
  organizationId: string,
  id: string,
  appId: string | null,
): Promise<JsonObject | null> {
  const { platform, approvals } = context;
  const row = await selectAction(platform.database, organizationId, id);
  if (row === null || (appId !== null && row.source_app_id !== appId)) return null;
  const approval =
    row.approval_id === null ? null : await approvals.ofSubject(organizationId, "substrate_action", id);
  return {
    ...actionView(await withinScope(context, row, appId)),
    approval: approval === null ? null : approvalView(approval, approvalUrl(platform, approval.id)),
  };
}

/** Actions, newest first; what an app asks for has only what that app may see. */
export async function actionList(
  context: SubstrateContext,
  organizationId: string,
  filter: ActionFilter,
  appId: string | null,
): Promise<JsonObject[]> {
  const rows = await selectActions(context.platform.database, organizationId, filter);
  return Promise.all(rows.map(async (row) => actionView(await withinScope(context, row, appId))));
}

const withinScope = async (
  context: SubstrateContext,
  row: ActionRow,
  appId: string | null,
): Promise<ActionRow> => ({
  ...row,
  result: row.result === null ? null : await resultWithin(context, appId, row.result),
  error: row.error === null || appId === null ? row.error : problemWithin(row.error),
});

/** A member decides on a waiting action; the action as it is then. Throws RESOURCE_NOT_FOUND, wrong_status. */
export async function decideAction(
  context: SubstrateContext,
  by: KeyPrincipal,
  id: string,
  decision: { readonly decision: "approve" | "reject"; readonly reason: string | null },
  nowMs: number,
): Promise<JsonObject> {
  const { organizationId } = by;
  const row = await selectAction(context.platform.database, organizationId, id);
  if (row === null) throw noAction(id);
  if (row.status !== "proposed") {
    throw substrateErrors.wrong_status({
      message: `Only what waits can be decided; the action ${id} is ${row.status}.`,
      details: { action_id: id, status: row.status },
    });
  }
  await context.approvals.decide(by, { kind: "substrate_action", subject: id }, decision, nowMs);
  return (await actionById(context, organizationId, id, null))!;
}

export const noAction = (id: string) =>
  errors.RESOURCE_NOT_FOUND({
    message: `There is no action ${id.slice(0, 80)}.`,
    remediation: "List the actions first: manage_substrate action list_actions.",
  });
