import type { Platform } from "../../engines/platform.ts";
import type { AnyOperation, Feature, ToolInfo } from "../../kernel/operation.ts";
import { actionOperations } from "./action-operations.ts";
import { createApprovalHandler } from "./approval-handler.ts";
import { mirrorUsers } from "./autopropagate.ts";
import { conflictOperations } from "./conflict-operations.ts";
import { createConflicts } from "./conflicts.ts";
import type { SubstrateContext, SubstrateDependencies } from "./context.ts";
import { eraseOperations } from "./erase-operations.ts";
import { substrateErrors } from "./errors.ts";
import { proposeOperations } from "./propose-operations.ts";
import { createSubstrateService, type SubstrateService } from "./service.ts";
import { createSettings } from "./settings.ts";
import { settingsOperations } from "./settings-operations.ts";
import { createTurns } from "./turns.ts";

/** The substrate: every write to an organisation's memory is a proposed action with a verdict and an entry in the ledger. */
export function createSubstrate(
  platform: Platform,
  deps: SubstrateDependencies,
): { feature: Feature; service: SubstrateService } {
  const context: SubstrateContext = { platform, turns: createTurns(platform), ...deps };
  const service = createSubstrateService(context);
  deps.approvals.register(createApprovalHandler(context));
  mirrorUsers(context);
  const operations: AnyOperation[] = [
    ...proposeOperations(context, service),
    ...actionOperations(context, service),
    ...conflictOperations(context, createConflicts(context)),
    ...settingsOperations(deps.memory, createSettings(platform, deps.approvals)),
    ...eraseOperations(context),
  ];
  return {
    feature: { name: "substrate", operations, errors: substrateErrors.entries, tools: TOOLS },
    service,
  };
}

const TOOLS: readonly ToolInfo[] = [
  {
    name: "manage_substrate",
    title: "Manage the substrate",
    description:
      "The organisation's institutional memory: entities (people, companies, projects, …), decisions, commitments, learnings, principles, source artifacts. Search before you write (find_entities, search_memory). Every write is proposed as {capability, payload} and is in a ledger nobody can rewrite: most run at once, the rest wait for a person; then tell your person the approval_url and don't propose the same again. Use idempotency_key for anything you may repeat, preview to see what a proposal would change, revert_action to undo. list_capabilities shows what needs approval; approving, rejecting and settings are for people only.",
  },
  {
    name: "propose_action",
    title: "Propose an action",
    description:
      "Proposes a write to the organisation's institutional memory as {capability, payload}; every one goes through the ledger. Capabilities: upsert_entity {type, display_name, primary_email?, canonical_keys?, attrs?}, update_entity {id, …fields}, record_decision {title, kind, rationale?}, record_commitment {description, status, from_entity?, to_entity?, amount?, unit?, due_at?}, record_learning {title, description}, and more (manage_substrate action list_capabilities). Answers {action_id, verdict, requires_approval, result?}; with requires_approval a person decides at approval_url.",
  },
  {
    name: "approve_action",
    title: "Approve an action",
    description:
      "A person approves a proposed action that waits; it is executed at once. Agents are refused.",
  },
  {
    name: "reject_action",
    title: "Reject an action",
    description: "A person rejects a proposed action that waits, with a reason. Agents are refused.",
  },
];
