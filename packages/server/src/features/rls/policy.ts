import { quoteIdent } from "../../engines/postgres/quote.ts";
import { POLICY_ROLES } from "../../engines/postgres/tenant.ts";
import { rlsErrors } from "./errors.ts";

/** Policies as data: what callers may say of one, and its SQL. Pure. */

export const COMMANDS = ["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"] as const;
export type Command = (typeof COMMANDS)[number];

/** Callers a policy can be about. Service is not among them: its access is a policy of Ambit's own. */
export type PolicyRole = "anon" | "user";
export const EVERYONE: readonly PolicyRole[] = ["anon", "user"];

export interface Policy {
  readonly table: string;
  readonly name: string;
  readonly command: Command;
  readonly roles: readonly PolicyRole[];
  /** Narrows what the other policies allow, instead of allowing something itself. */
  readonly restrictive: boolean;
  /** Which rows are seen, changed and deleted. */
  readonly using: string | null;
  /** Which rows may be written. */
  readonly check: string | null;
}

/** A policy as the catalogue has it. */
export interface StoredPolicy extends Omit<Policy, "roles"> {
  /** Names of database roles. */
  readonly roles: readonly string[];
}

/** Service reaches every row of every table by this policy rather than by a role that ignores policies. */
export const isServiceBypass = (policy: Pick<StoredPolicy, "roles">): boolean =>
  policy.roles.length === 1 && policy.roles[0] === POLICY_ROLES.service;

/** The callers of a stored policy, to make it anew. */
export const rolesOf = (policy: StoredPolicy): readonly PolicyRole[] =>
  EVERYONE.filter((role) => policy.roles.includes(POLICY_ROLES[role]) || policy.roles.includes("public"));

/**
 * Refuses what Postgres would not take, or would take to mean something else than was meant.
 * @throws VALIDATION_MISSING_FIELD, RLS_INVALID_EXPRESSION
 */
export function refuseUnusable(policy: Policy): void {
  const { command, using, check } = policy;
  if (using === null && check === null) throw rlsErrors.VALIDATION_MISSING_FIELD();
  if (command === "INSERT" && using !== null) {
    throw rlsErrors.RLS_INVALID_EXPRESSION({
      message: "An INSERT policy has no rows to look at, so it takes no using_expression.",
      remediation: "Put the condition on new rows into with_check_expression.",
    });
  }
  if ((command === "SELECT" || command === "DELETE") && check !== null) {
    throw rlsErrors.RLS_INVALID_EXPRESSION({
      message: `A ${command} policy writes no rows, so it takes no with_check_expression.`,
      remediation: "Put the condition into using_expression.",
    });
  }
}

/** `create policy …`. The expressions were judged. */
export function createPolicySql(policy: Policy): string {
  const roles = policy.roles.map((role) => POLICY_ROLES[role]).join(", ");
  const using = policy.using === null ? "" : ` using (${policy.using}\n)`;
  const check = policy.check === null ? "" : ` with check (${policy.check}\n)`;
  return `create policy ${quoteIdent(policy.name)} on ${quoteIdent(policy.table)} as ${policy.restrictive ? "restrictive" : "permissive"} for ${policy.command.toLowerCase()} to ${roles}${using}${check}`;
}

export const dropPolicySql = (table: string, name: string): string =>
  `drop policy if exists ${quoteIdent(name)} on ${quoteIdent(table)}`;

/** What is odd about a table's policies, one sentence each. */
export function policyWarnings(table: string, policies: readonly StoredPolicy[]): string[] {
  const own = policies.filter((policy) => !isServiceBypass(policy));
  if (own.length === 0) {
    return [`${table} has row-level security and no policy: only service callers (API keys) reach its rows.`];
  }
  if (own.every((policy) => policy.restrictive)) {
    return [
      `${table} has only restrictive policies, which narrow what others allow: only service callers reach its rows.`,
    ];
  }
  return [];
}
