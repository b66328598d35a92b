import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

export const ledgerErrors = defineErrors({
  LEDGER_ENTRY_TOO_LARGE: {
    status: 413,
    message: `An entry of the ledger has at most ${limits.entryBytes / 1024} KiB, and what it seals at most ${limits.sealedBytes / 1024 / 1024} MiB.`,
    remediation: "Send less at once; keep large contents elsewhere and refer to them.",
  },
  LEDGER_ENTRY_MALFORMED: {
    status: 400,
    message: "That can't be written into the ledger.",
    remediation:
      "Texts must be well-formed Unicode, numbers finite, objects plain and not nested too deeply.",
  },
  LEDGER_BUSY: {
    status: 503,
    message: "More is being written to the ledger than can be taken.",
    remediation: "Try again in a moment.",
  },
  LEDGER_BEHIND: {
    status: 503,
    message: "The latest entries have no place in the ledger's tree yet.",
    remediation:
      "Try again in a moment; if it stays, look into the server's log and at ambit_ledger_sequencer.",
  },
  LEDGER_BROKEN: {
    status: 500,
    message: "The ledger is not what was signed before; no checkpoint was made.",
    remediation:
      "If Ambit was started with another master key than before, start it with the right one. Else keep the database as it is and the checkpoints you have. Export the ledger and verify it: `ambit ledger verify` names the entries that are wrong.",
  },
});
