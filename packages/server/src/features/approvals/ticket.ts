import type { Queryable } from "../../engines/postgres/database.ts";
import { appsOf, decideAccess } from "../../kernel/access.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { KeysService } from "../keys/service.ts";
import type { OrganizationsService } from "../organizations/service.ts";
import type { Ballot } from "./decide.ts";
import type { Workings } from "./inbox.ts";
import { type ApprovalRow, approvalOf } from "./rows.ts";
import { selectSettings } from "./settings-store.ts";
import * as store from "./store.ts";
import type { Approval, ApprovalHandler, ApprovalKindName } from "./types.ts";

/** What deciding, viewing and expiring need. */
export interface Ticket {
  readonly workings: Workings;
  readonly organizations: OrganizationsService;
  readonly keys: Pick<KeysService, "byId">;
  readonly handlers: ReadonlyMap<ApprovalKindName, ApprovalHandler>;
}

export function handlerOf({ handlers }: Ticket, kind: ApprovalKindName): ApprovalHandler {
  const handler = handlers.get(kind);
  if (handler === undefined) throw new Error(`approvals of kind ${kind} have no handler`);
  return handler;
}

export const notFound = (): AmbitError =>
  errors.RESOURCE_NOT_FOUND({
    message: "There is no such approval.",
    remediation: "List what waits: GET /v1/approvals?status=pending.",
  });

/**
 * Whether a key may decide at all: alive, a person's, of a member with the right, and of the whole organisation; an
 * error or null. Pure.
 */
export function keyRefusal(principal: KeyPrincipal, nowMs: number): AmbitError | null {
  const refusal = decideAccess({
    ...{ principal, right: "policy", surface: "any", personOnly: true },
    ...{ app: null, organizationId: null, nowMs },
  });
  if (refusal !== null || appsOf(principal.scopes) === null) return refusal;
  return errors.AUTH_INSUFFICIENT_PERMISSIONS({
    message: "The key is bound to one app, and what waits concerns the whole organisation.",
    remediation: "Decide with a key of the whole organisation (key_scope: account).",
  });
}

/** The approval of a row, and a ballot on it with everything as it is now. */
export async function ballotOn(
  { workings, organizations }: Ticket,
  db: Queryable,
  { accountId, role, keyKind, organizationId }: KeyPrincipal,
  row: ApprovalRow,
  decision: "approve" | "reject",
  nowMs: number,
): Promise<{ approval: Approval; ballot: Ballot }> {
  const decisions = await store.selectDecisions(db, [row.id]);
  const approval = approvalOf(row, decisions, workings.envelope);
  const { fourEyes } = await selectSettings(db, organizationId);
  const deciders = (await organizations.membersWith(db, organizationId, "policy")).length;
  const accounts = decisions.map(({ account_id }) => account_id);
  const people = await organizations.addresses(db, [accountId, ...accounts]);
  const voter = { accountId, role, keyKind };
  return { approval, ballot: { approval, voter, decision, fourEyes, deciders, people, nowMs } };
}
