import type { FoundPolicy, FoundTable } from "./explain-catalog.ts";

/** What a policy said of the row: null is SQL's unknown, which lets nothing through. */
export type PolicyResult = boolean | null | { readonly error: string; readonly message: string };

/** Why a policy had no say. */
export type NotApplied = "rls_off" | "service" | "command" | "role" | "no_using";

/** A policy and what became of it. */
export interface ExplainedPolicy {
  readonly name: string;
  readonly type: "permissive" | "restrictive";
  readonly command: FoundPolicy["command"];
  readonly roles: readonly string[];
  readonly expression: string | null;
  readonly applies: boolean;
  /** Set when it does not apply. */
  readonly why_not?: NotApplied;
  /** Set when it applies and was asked. */
  readonly result?: boolean | null;
  /** SQLSTATE, when it failed. */
  readonly error?: string;
  /** Postgres' words for it. */
  readonly error_message?: string;
}

/** Why a policy has no say when the role reads rows; null: it has. Pure. */
export function notApplied(
  policy: FoundPolicy,
  role: "anon" | "user" | "service",
  rls: boolean,
): NotApplied | null {
  if (!rls) return "rls_off";
  if (role === "service") return "service";
  if (policy.command !== "ALL" && policy.command !== "SELECT") return "command";
  if (!policy.ofRole) return "role";
  return policy.expression === null ? "no_using" : null;
}

/**
 * PostgreSQL's rule (CREATE POLICY) as one condition: any permissive policy and every restrictive one. Null: there is
 * no permissive policy, hence no row.
 */
export function wholeCondition(policies: readonly FoundPolicy[]): string | null {
  const of = (permissive: boolean) =>
    policies.filter((policy) => policy.permissive === permissive).map(({ expression }) => `(${expression})`);
  const any = of(true);
  return any.length === 0 ? null : [`(${any.join(" or ")})`, ...of(false)].join(" and ");
}

/** What is known of the row and of who looks. */
export interface Findings {
  readonly table: string;
  readonly role: "anon" | "user" | "service";
  readonly found: FoundTable;
  /** False: there is no row with the key given. */
  readonly row: boolean;
  /** Applying policies with their results, in order; undefined for one that was not asked. */
  readonly results: ReadonlyMap<FoundPolicy, PolicyResult | undefined>;
  /** What the policies together say; null without a permissive one. */
  readonly whole: PolicyResult;
}

/** Whether the row is visible (null: that can't be decided, so it is not shown), and why in one sentence. Pure. */
export function verdictOf(findings: Findings): { visible: boolean | null; reason: string } {
  const { table, role, found, row, results, whole } = findings;
  const hidden = (reason: string) => ({ visible: false, reason });
  if (!row) return hidden(`${table} has no row with this key.`);
  if (role === "service") return { visible: true, reason: "Service connections see every row." };
  if (!found.columns.some(({ readable }) => readable)) {
    return hidden(`The role ${role} may not read any column of ${table}.`);
  }
  if (!found.rls)
    return { visible: true, reason: `Row-level security is off on ${table}: everybody sees every row.` };
  const names = (wanted: (policy: FoundPolicy, result: PolicyResult | undefined) => boolean) =>
    [...results].filter(([policy, result]) => wanted(policy, result)).map(([policy]) => policy.name);
  if (names((policy) => policy.permissive).length === 0) {
    return hidden(`No permissive policy for reading applies to the role ${role}: nothing is visible to it.`);
  }
  if (typeof whole === "object" && whole !== null) {
    const failing = names((_policy, result) => typeof result === "object" && result !== null);
    const which = failing.length === 0 ? "A policy" : `The policy ${failing.join(", ")}`;
    return {
      visible: null,
      reason: `${which} fails (${whole.error}): whether the row is visible can't be decided, and it is not shown.`,
    };
  }
  if (whole === true) {
    return {
      visible: true,
      reason: `Shown by ${names((policy, result) => policy.permissive && result === true).join(", ")}.`,
    };
  }
  const against = names((policy, result) => !policy.permissive && result !== true);
  if (against.length > 0) return hidden(`Hidden by the restrictive policy ${against.join(", ")}.`);
  return hidden(
    `None of the permissive policies lets it through: ${names((policy) => policy.permissive).join(", ")}.`,
  );
}

/** The policies as they are told. Pure. */
export function tellPolicies({ found, role, results }: Findings): ExplainedPolicy[] {
  return found.policies.map((policy): ExplainedPolicy => {
    const why = notApplied(policy, role, found.rls);
    const { name, command, roles, expression } = policy;
    const type = policy.permissive ? "permissive" : "restrictive";
    const told = { name, type, command, roles, expression } as const;
    if (why !== null) return { ...told, applies: false, why_not: why };
    const result = results.get(policy);
    if (result === undefined) return { ...told, applies: true };
    if (typeof result === "object" && result !== null) {
      return { ...told, applies: true, error: result.error, error_message: result.message };
    }
    return { ...told, applies: true, result };
  });
}
