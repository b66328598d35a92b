/** How a capability's proposals are treated when nothing else stands against them. */
export type Mode = "auto" | "approval" | "forbidden";

/** One way to write the organisation's memory, or to act in its name. */
export interface Capability {
  readonly name: string;
  /** For people: what an approval asks for. */
  readonly title: string;
  /** What holds until an owner sets something else. */
  readonly defaultMode: "auto" | "approval";
  /** Whether `revert_action` can undo it. */
  readonly reversible: boolean;
  /** Whether a person may skip its approval (`dangerously_skip_approval`, YOLO mode). */
  readonly yoloEligible: boolean;
  /** It reaches people outside: proposed by anyone but a person it always waits for one. */
  readonly sideEffect: boolean;
  /** It changes what principles say. No principle can reject it, or a bad one could never be taken back. */
  readonly governs: boolean;
  readonly phase: 0 | 1;
}

type Traits = Partial<Pick<Capability, "reversible" | "yoloEligible" | "sideEffect" | "governs" | "phase">>;

const capability =
  (defaultMode: Capability["defaultMode"], defaults: Traits) =>
  (name: string, title: string, traits: Traits = {}): Capability => ({
    ...{ name, title, defaultMode },
    ...{ reversible: false, yoloEligible: false, sideEffect: false, governs: false, phase: 1 as const },
    ...defaults,
    ...traits,
  });

const auto = capability("auto", { reversible: true });
const gated = capability("approval", {});

/** Every capability there is. Those of phase 0 run at once by default; the ledger has them either way. */
export const CAPABILITIES: ReadonlyMap<string, Capability> = new Map(
  [
    auto("upsert_entity", "Add an entity, or complete the one that is there", { phase: 0 }),
    auto("update_entity", "Change fields of an entity", { phase: 0 }),
    auto("record_decision", "Record a decision", { phase: 0 }),
    auto("record_commitment", "Record a commitment", { phase: 0 }),
    auto("record_learning", "Record a learning", { phase: 0 }),
    auto("patch_entity", "Patch an entity"),
    auto("upsert_source_artifact", "Keep a source artifact", { yoloEligible: true }),
    auto("link_records", "Link two records"),
    auto("unlink_records", "Remove a link between records"),
    auto("revert_action", "Undo an action", { reversible: false }),
    gated("record_principle", "Set a principle", { governs: true }),
    gated("amend_principle", "Change a principle", { governs: true }),
    gated("retire_principle", "Retire a principle", { governs: true }),
    gated("supersede_decision", "Replace a decision by another"),
    gated("delete_entity", "Delete an entity"),
    gated("merge_entities", "Merge two entities"),
    gated("bulk_revert_actions", "Undo several actions"),
    gated("send_email_draft", "Send an e-mail", { yoloEligible: true, sideEffect: true }),
    gated("place_call", "Place a call", { sideEffect: true }),
  ].map((each) => [each.name, Object.freeze(each)]),
);
