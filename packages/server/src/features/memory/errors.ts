import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

/** What writing the memory can answer besides the kernel's own errors. */
export const memoryErrors = defineErrors({
  VALIDATION_UNKNOWN_REFERENCE: {
    status: 400,
    message: "The payload names records that are not in this organisation's memory.",
    remediation: "Look the ids up (find_entities, search_memory) and correct the fields named in `details`.",
  },
  ENTITY_AMBIGUOUS: {
    status: 409,
    message: "The keys belong to different entities.",
    remediation:
      "If they are the same, propose merge_entities {loser_id, winner_id, reason}; otherwise send only keys of one of them.",
  },
  ENTITY_TYPE_MISMATCH: {
    status: 409,
    message: "The entities are of different types.",
    remediation: "An entity keeps its type: use the type it has, or record another entity.",
  },
  ENTITY_IN_USE: {
    status: 409,
    message: "Other records refer to the entity.",
    remediation:
      "Propose merge_entities into the entity that takes its place, or remove what refers to it first; `details.references` lists it.",
  },
  ENTITY_CHANGED: {
    status: 409,
    message: "The entity has been changed since.",
    remediation: "Read it again and repeat the patch with its present updated_at, given in `details`.",
  },
  ARTIFACT_AMBIGUOUS: {
    status: 409,
    message: "The id and the external id belong to different source artifacts.",
    remediation: "Send only one of them.",
  },
  DECISION_NOT_ACTIVE: {
    status: 409,
    message: "The decision is no longer in force.",
    remediation: "Use the one that took its place, `details.superseded_by`, if there is one.",
  },
  DECISION_IS_PRINCIPLE: {
    status: 409,
    message: "The decision is a principle that constrains others.",
    remediation: "Change it with amend_principle, or end it with retire_principle.",
  },
  MEMORY_RECORD_TOO_LARGE: {
    status: 413,
    message: `A record's fields together take at most ${limits.recordChars} characters as JSON.`,
    remediation: "Keep large content elsewhere and refer to it, e.g. with storage_object_id or url.",
  },
  MEMORY_CHANGE_TOO_LARGE: {
    status: 409,
    message: `One action changes at most ${limits.recordsPerAction} records.`,
    remediation: "Take it in smaller steps, e.g. unlink records first.",
  },
  MEMORY_BUSY: {
    status: 409,
    message: "Others are changing the same records right now; nothing was changed.",
    remediation: "Repeat the proposal.",
  },
  REVERT_BLOCKED: {
    status: 409,
    message: "Later actions have built on what this action did.",
    remediation: "Revert those in `details.blockers` first, or all of them with bulk_revert_actions.",
  },
});
