import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { Role } from "../../kernel/principal.ts";
import { organizationErrors } from "./errors.ts";

/** A change of one member: to another role, or (null) out of the organisation. */
export interface MemberChange {
  readonly members: ReadonlyMap<string, Role>;
  readonly actorRole: Role;
  readonly accountId: string;
  readonly role: Role | null;
}

/**
 * Decides whether a member may be changed. Pure; the error to throw, or null for yes.
 * Only an owner makes or unmakes owners, and the last owner stays.
 */
export function decideMemberChange(change: MemberChange): AmbitError | null {
  const current = change.members.get(change.accountId);
  if (current === undefined) {
    return errors.RESOURCE_NOT_FOUND({
      message: "There is no such member.",
      remediation: "List the members first: GET /v1/organizations/<id>/members.",
    });
  }
  if ((current === "owner" || change.role === "owner") && change.actorRole !== "owner") {
    return errors.AUTH_INSUFFICIENT_PERMISSIONS({ message: "Only an owner may make or unmake owners." });
  }
  const owners = [...change.members.values()].filter((role) => role === "owner").length;
  if (current === "owner" && change.role !== "owner" && owners === 1) return organizationErrors.LAST_OWNER();
  return null;
}
