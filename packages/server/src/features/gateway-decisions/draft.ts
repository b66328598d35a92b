import type { Secrets } from "../../kernel/secrets.ts";
import type { LedgerDraft } from "../ledger/service.ts";
import { limits } from "./limits.ts";
import type { DecisionRecord } from "./types.ts";

/** The name under which a decision's entry seals the arguments, as JSON text. */
export const SEALED_ARGUMENTS = "args";

/** How argument values are kept: encrypted with the master key, bound to the grant, so that no copy of the database tells them. */
export interface ArgumentSeal {
  seal(text: string, grantId: string): string;
  /** Throws for what `seal` did not make, or made for another grant. */
  open(sealed: string, grantId: string): string;
}

export const createArgumentSeal = (secrets: Pick<Secrets, "seal" | "open">): ArgumentSeal => ({
  seal: (text, grantId) => secrets.seal("gateway-arguments", text, grantId),
  open: (sealed, grantId) => secrets.open("gateway-arguments", sealed, grantId),
});

/**
 * The ledger's entry of a decision: about the grant, `gateway.<outcome>`, argument values sealed where they are kept. The
 * values of a call that is too large to keep are left out, and the entry says so.
 */
export function draftOf(decision: DecisionRecord, { seal }: Pick<ArgumentSeal, "seal">): LedgerDraft {
  const { grantId } = decision;
  const args = decision.args === undefined ? null : JSON.stringify(decision.args);
  const isKept = args !== null && args.length <= limits.capturedChars;
  return {
    kind: `gateway.${decision.outcome}`,
    organizationId: decision.organizationId,
    actor: { type: "grant", id: grantId },
    subject: grantId,
    data: {
      request_id: decision.requestId,
      grant_id: grantId,
      server_id: decision.serverId,
      method: decision.method,
      tool: decision.tool,
      policy_id: decision.policyId,
      policy_version: decision.policyVersion,
      rule: decision.rule,
      message: decision.message,
      argument_keys: decision.argumentKeys,
      approval_id: decision.approvalId,
      ...(args === null || isKept ? {} : { values: "too large" }),
    },
    // As text: it is the same again when it is read, however deep it is.
    ...(isKept ? { sealed: { [SEALED_ARGUMENTS]: seal(args, grantId) } } : {}),
  };
}
