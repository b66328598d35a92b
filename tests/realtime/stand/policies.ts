import type { Dice } from "../../gateway/stand/dice.ts";
import type { Expression } from "./expressions.ts";
import * as is from "./expressions.ts";

/** A policy as it is asked for; `name` says which, for the table's whole life. */
export interface PolicySpec {
  readonly name: string;
  readonly command: "ALL" | "SELECT" | "UPDATE" | "DELETE";
  /** Undefined: signed-in and anonymous callers. */
  readonly role: "anon" | "user" | undefined;
  readonly restrictive: boolean;
  readonly using: Expression;
}

/** Conditions that signed-in callers alone can be asked: they read claims. */
const OF_CLAIMS: readonly Expression[] = [is.mailIsMine, is.mailBegins, is.subjectOwns];
const memberships = (dice: Dice): Expression =>
  dice.chance(0.5) ? is.memberExists(dice.chance(0.3)) : is.memberIn(dice.chance(0.3));

/** A condition of rows, some of which no compiler of conditions takes. */
export function randomCondition(dice: Dice, claims: boolean, depth = 2): Expression {
  if (depth > 0 && dice.chance(0.3)) {
    const part = () => randomCondition(dice, claims, depth - 1);
    const form = dice.int(5);
    if (form === 0) return is.not(part());
    return form < 3 ? is.all(part(), part()) : is.any(part(), part());
  }
  const plain: readonly Expression[] = [
    is.owner,
    is.owner,
    is.open,
    is.openForSure,
    is.kept,
    is.teamIs(1 + dice.int(3)),
    is.teamAbove(dice.int(4)),
    is.teamAmong([1, 3]),
    is.untitled,
    is.longTitle,
    is.lowerTitle,
  ];
  const kind = dice.next();
  if (kind < 0.3) return memberships(dice);
  if (claims && kind < 0.5) return dice.pick(OF_CLAIMS);
  return dice.pick(plain);
}

/** A policy that only memberships decide. */
export const membershipPolicy = (dice: Dice, name: string): PolicySpec => ({
  ...{ name, command: "SELECT", role: "user", restrictive: false, using: memberships(dice) },
});

let names = 0;

export function randomPolicy(dice: Dice): PolicySpec {
  const role = dice.pick(["user", "user", "user", "anon", undefined] as const);
  const restrictive = dice.chance(0.2);
  return {
    name: `p_${names++}`,
    command: dice.pick(["ALL", "ALL", "SELECT", "SELECT", restrictive ? "SELECT" : "UPDATE"] as const),
    role,
    restrictive,
    // A restrictive one that hides nearly everything would leave nothing to compare.
    using: restrictive
      ? dice.pick([is.kept, is.any(is.kept, is.owner), is.not(is.teamIs(2))])
      : randomCondition(dice, role === "user"),
  };
}

/** As the body of a request that makes the policy. */
export const policyBody = (table: string, { name, command, role, restrictive, using }: PolicySpec) => ({
  ...{ table_name: table, policy_name: name, command, restrictive },
  ...(role === undefined ? {} : { role }),
  using_expression: using.sql(table),
});

/** The same policy with another condition. */
export const changed = (dice: Dice, policy: PolicySpec): PolicySpec => ({
  ...policy,
  using: randomCondition(dice, policy.role === "user"),
});
