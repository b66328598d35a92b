import { destroys, type Found, ofApp, ofPlatform, person, reads, type Step } from "../step.ts";

/** Which apps use the substrate, and what of it they see. */
export const linkSteps: readonly Step[] = [
  ofApp("substrate_links_link", "manage_app link_substrate"),
  ofApp("substrate_links_autopropagate", "manage_app set_substrate_autopropagate", { users: false }),
  ofApp("substrate_links_get", "manage_app get_substrate_link", {}, reads),
  ofApp("substrate_links_unlink", "manage_app unlink_substrate", {}, destroys),
];

const entry = ({ entryId }: Found) => ({ id: entryId });

/** What happened, and the proof of it. */
export const ledgerSteps: readonly Step[] = [
  ofPlatform(
    "ledger_list",
    "manage_ledger list",
    ({ actionId }) => ({ subject: actionId, kind: "substrate.action.executed", limit: 5 }),
    {
      ...reads,
      find: (output, found) => {
        found.entryId = output.entries[0].entry.id;
      },
    },
  ),
  ofPlatform("ledger_get", "manage_ledger get", entry, reads),
  ofPlatform("ledger_key", "manage_ledger key", {}, reads),
  ofPlatform(
    "ledger_checkpoint",
    "manage_ledger checkpoint",
    {},
    {
      ...reads,
      find: (output, found) => {
        found.treeSize = output.size;
      },
    },
  ),
  ofPlatform("ledger_list_checkpoints", "manage_ledger list_checkpoints", { limit: 5 }, reads),
  ofPlatform("ledger_prove_inclusion", "manage_ledger prove_inclusion", entry, reads),
  ofPlatform(
    "ledger_prove_consistency",
    "manage_ledger prove_consistency",
    ({ treeSize }) => ({ from: treeSize }),
    reads,
  ),
  ofPlatform(
    "mail_organization_outbox",
    "manage_organizations read_mail",
    ({ organizationId }) => ({ organization_id: organizationId, limit: 5 }),
    { ...person, ...reads },
  ),
];
