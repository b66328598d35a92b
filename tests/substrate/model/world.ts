import {
  type Change,
  canonical,
  type Data,
  Draft,
  type Kind,
  Memory,
  Refusal,
  type State,
} from "./memory.ts";
import { CAPABILITIES } from "./records.ts";
import { judge, type Policy, type VerdictResult } from "./rules.ts";
import { canUndo, refusalOf, undo } from "./undo.ts";

/** Who proposes, as the ledger names it. */
export interface Proposer {
  readonly name: string;
  readonly kind: "human" | "agent";
  readonly keyId: string;
  readonly account: string;
  readonly app: string | null;
}

/** A proposal as it is sent, with its payload as it is stored; null: it is not valid. */
export interface Proposal {
  readonly capability: string;
  readonly sent: Data;
  readonly stored: Data | null;
  readonly key?: string;
  readonly skip?: boolean;
}

export interface Conflict {
  readonly principle: string;
  status: "open" | "resolved";
  resolution: "approve" | "reject" | "dismiss" | null;
}

export interface Action {
  readonly id: string;
  readonly capability: string;
  readonly payload: Data;
  readonly verdict: { readonly result: VerdictResult; readonly conflicts: readonly string[] };
  readonly proposer: Proposer;
  readonly key: string | null;
  readonly fingerprint: string;
  readonly proposedAt: number;
  /** How many people must approve it; 0: it never waited. */
  readonly approvers: number;
  readonly conflicts: Conflict[];
  readonly votes: { account: string; decision: "approve" | "reject" }[];
  status: "proposed" | "executed" | "rejected" | "failed";
  result: Data | null;
  error: string | null;
  changes: readonly Change[];
  executedAt: number | null;
  approvedBy: string | null;
  revertedBy: string | null;
}

/** What the server said of something that happened: which id it has, when it was, and what executing answered. */
export interface Seen {
  readonly id: string;
  readonly at: number;
  readonly result: Data | null;
  /** Taken over as it is, where several were judged at once and their order is not known. */
  readonly verdict?: Action["verdict"];
}

/** What is to be expected of an answer. */
export type Expected = { readonly error: string } | { readonly action: Action; readonly replay: boolean };

const PENDING_PER_REQUESTER = 100;

/** One organisation: its memory, its actions, what owners have set. */
export class World {
  readonly memory = new Memory();
  readonly actions = new Map<string, Action>();
  readonly #byKey = new Map<string, Action>();
  readonly policies = new Map<string, Policy>();
  yolo = false;
  fourEyes: boolean | null = null;
  readonly deciders: number;

  constructor(deciders: number) {
    this.deciders = deciders;
  }

  /** `seen` is what the server says came of it; null when it refused. */
  propose(proposer: Proposer, proposal: Proposal, seen: Seen | null, now: number): Expected {
    const { capability, sent, stored, key = null } = proposal;
    const fingerprint = canonical([capability, sent]);
    const earlier = key === null ? undefined : this.#byKey.get(key);
    if (earlier !== undefined) {
      if (earlier.fingerprint !== fingerprint) return { error: "IDEMPOTENCY_CONFLICT" };
      return { action: earlier, replay: true };
    }
    if (!KNOWN.has(capability)) return { error: "CAPABILITY_UNKNOWN" };
    if (stored === null) return { error: "VALIDATION_INVALID_SCHEMA" };
    const at = seen?.at ?? now;
    const verdict = seen?.verdict ?? this.judge(proposer, proposal, at);
    const policy = this.policies.get(capability);
    const waits = verdict.result === "requires_approval";
    if (waits && this.#waiting(proposer.keyId) >= PENDING_PER_REQUESTER) return { error: "QUOTA_APPROVALS" };
    const action: Action = {
      ...{ id: seen?.id ?? "?", capability, payload: stored, verdict, proposer, key, fingerprint },
      ...{ proposedAt: at, approvers: waits ? (policy?.approvers ?? 1) : 0, votes: [] },
      ...{ status: "rejected", result: null, error: null, changes: [], executedAt: null },
      ...{ approvedBy: null, revertedBy: null },
      conflicts: verdict.conflicts.map((principle) => {
        const settled = verdict.result === "rejected";
        return { principle, status: settled ? "resolved" : "open", resolution: settled ? "reject" : null };
      }),
    };
    if (waits) action.status = "proposed";
    else if (verdict.result !== "rejected") {
      const refused = this.#execute(action, { ...(seen ?? { result: null }), id: action.id, at });
      if (refused !== null) return { error: refused };
    }
    this.actions.set(action.id, action);
    if (key !== null) this.#byKey.set(key, action);
    return { action, replay: false };
  }

  judge({ kind, app }: Proposer, { capability, stored, skip = false }: Proposal, at: number) {
    const principles = this.memory.all().flatMap(({ id, state: { kind, data } }) => {
      const inForce = kind === "decision" && data.kind === "principle" && data.status === "active";
      if (!inForce || data.constraint_spec === undefined) return [];
      return [{ id, appliesTo: data.applies_to ?? {}, spec: data.constraint_spec }];
    });
    const done = [...this.actions.values()].flatMap(({ capability, payload, executedAt }) =>
      executedAt === null ? [] : [{ capability, payload, executedAt }],
    );
    const undone: string[] =
      capability === "revert_action" ? [stored!.action_id] : (stored!.action_ids ?? []);
    const undoesApproved = undone.some((id) => {
      const action = this.actions.get(id);
      return action?.approvedBy != null && refusalOf(this.#target(id), app) === null;
    });
    return judge({
      undoesApproved,
      ...{ capability, payload: stored!, human: kind === "human", skip, yolo: this.yolo },
      ...{ policy: this.policies.get(capability) ?? null, principles, done, at },
    });
  }

  #waiting(keyId: string): number {
    const all = [...this.actions.values()];
    return all.filter((each) => each.status === "proposed" && each.proposer.keyId === keyId).length;
  }

  /** A person's vote; `role` decides whether it may. */
  decide(
    voter: { readonly account: string; readonly human: boolean; readonly mayDecide: boolean },
    action: Action | undefined,
    decision: "approve" | "reject",
    seen: Seen | null,
  ): Expected {
    if (!voter.human) return { error: "AUTH_PERSON_REQUIRED" };
    if (!voter.mayDecide) return { error: "AUTH_INSUFFICIENT_PERMISSIONS" };
    if (action === undefined) return { error: "RESOURCE_NOT_FOUND" };
    if (action.status !== "proposed") return { error: "wrong_status" };
    if (action.votes.some(({ account }) => account === voter.account)) return { error: "APPROVAL_TWICE" };
    const at = seen?.at ?? 0;
    if (decision === "reject") {
      action.votes.push({ account: voter.account, decision });
      this.#end(action, "rejected");
      return { action, replay: false };
    }
    const fourEyes = this.fourEyes ?? this.deciders >= 2;
    if (fourEyes && action.proposer.account === voter.account)
      return { error: "AUTH_INSUFFICIENT_PERMISSIONS" };
    action.votes.push({ account: voter.account, decision });
    if (action.votes.length < action.approvers) return { action, replay: false };
    action.approvedBy = voter.account;
    const forbidden = this.policies.get(action.capability)?.mode === "forbidden";
    action.error = forbidden
      ? "CAPABILITY_FORBIDDEN"
      : this.#execute(action, { id: action.id, at, result: seen?.result ?? null });
    this.#end(action, action.error === null ? "executed" : "failed");
    return { action, replay: false };
  }

  /** Nobody decided in time. */
  expire(action: Action): void {
    this.#end(action, "rejected");
  }

  #end(action: Action, status: Action["status"]): void {
    action.status = status;
    for (const conflict of action.conflicts) {
      if (conflict.status === "resolved") continue;
      Object.assign(conflict, {
        status: "resolved",
        resolution: status === "rejected" ? "reject" : "approve",
      });
    }
  }

  /** Does it and gives null, or says why it can't be done and changes nothing. */
  #execute(action: Action, seen: Seen): string | null {
    const before = new Map(this.memory.histories);
    try {
      const { result, changes, reverted } = this.#perform(action, seen);
      for (const id of reverted) this.actions.get(id)!.revertedBy = action.id;
      Object.assign(action, { status: "executed", result, changes, executedAt: seen.at });
      return null;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.memory.histories.clear();
      for (const [id, versions] of before) this.memory.histories.set(id, versions);
      return error.code;
    }
  }

  /** What doing it now would come to; changes nothing. */
  tryOut(proposer: Proposer, { capability, stored }: Proposal, at: number): { problem: string } | Data {
    const action = { id: "?", capability, payload: stored!, proposer } as Action;
    const before = new Map(this.memory.histories);
    try {
      return { result: this.#perform(action, { id: "?", at, result: null }).result };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { problem: error.code };
    } finally {
      this.memory.histories.clear();
      for (const [id, versions] of before) this.memory.histories.set(id, versions);
    }
  }

  #perform(
    { id, capability, payload, proposer }: Action,
    { at, result }: Seen,
  ): { result: Data; changes: Change[]; reverted: string[] } {
    const { app } = proposer;
    const draft = () => new Draft(this.memory, { action: id, at, app, made: (kind) => madeId(kind, result) });
    if (capability === "send_email_draft" || capability === "place_call")
      return { result: { queued: 0, outbox_ids: [] }, changes: [], reverted: [] };
    if (capability === "bulk_revert_actions") return this.#bulk(payload.action_ids, app, result, draft);
    const work = draft();
    if (capability === "revert_action") {
      const refusal = refusalOf(this.#target(payload.action_id), app);
      if (refusal !== null) throw new Refusal(refusal);
      const done = undo(work, payload.action_id);
      const changes = work.changes();
      work.commit();
      return { result: done, changes, reverted: [payload.action_id] };
    }
    const done = CAPABILITIES[capability]!(work, payload);
    const changes = work.changes();
    work.commit();
    return { result: done, changes, reverted: [] };
  }

  #target(id: string) {
    const action = this.actions.get(id);
    if (action === undefined) return undefined;
    const { capability, status, revertedBy, proposer } = action;
    return { id, capability, status, revertedBy, app: proposer.app };
  }

  /**
   * The order is the server's to choose (without an answer to follow, any that works). Each step of it must be one that
   * can be taken then, and nothing may be left that still could be.
   */
  #bulk(ids: readonly string[], app: string | null, seen: Data | null, draft: () => Draft) {
    const failed = new Map<string, string>();
    const possible = ids.filter((id) => {
      const refusal = refusalOf(this.#target(id), app);
      if (refusal !== null) failed.set(id, refusal);
      return refusal === null;
    });
    const reverted: string[] = [];
    const changes: Change[] = [];
    const next = () => {
      if (seen !== null) return (seen.reverted as string[])[reverted.length];
      return possible.find((id) => !reverted.includes(id) && canUndo(draft(), id));
    };
    for (let id = next(); id !== undefined; id = next()) {
      if (!possible.includes(id) || reverted.includes(id) || !canUndo(draft(), id))
        throw new Error(`${id} could not be undone after ${reverted}`);
      const work = draft();
      undo(work, id);
      changes.push(...work.changes());
      work.commit();
      reverted.push(id);
    }
    for (const id of possible) {
      if (reverted.includes(id)) continue;
      if (canUndo(draft(), id)) throw new Error(`${id} could have been undone too, after ${reverted}`);
      failed.set(id, "REVERT_BLOCKED");
    }
    return { result: { reverted, failed: Object.fromEntries(failed) }, changes, reverted };
  }

  /** Records as an app that sees only its own may see them. */
  visible(app: string | null, state: State): boolean {
    return app === null || state.app === app;
  }
}

const KNOWN = new Set([
  ...Object.keys(CAPABILITIES),
  ...["revert_action", "bulk_revert_actions", "send_email_draft", "place_call"],
]);

const RESULT_ID: Readonly<Record<Kind, string>> = {
  entity: "entity_id",
  decision: "decision_id",
  commitment: "commitment_id",
  learning: "learning_id",
  source_artifact: "artifact_id",
  link: "link_id",
};

/** The id the server gave to what was made; it has to be one of the kind. */
function madeId(kind: Kind, result: Data | null): string {
  return String(result?.[RESULT_ID[kind]] ?? `a new ${kind}`);
}
