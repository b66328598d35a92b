import { defineErrors } from "../../../kernel/errors.ts";

/** What the logical decoding reader can tell its caller and the operator. */
export const errors = defineErrors({
  REPLICATION_SLOT_MISSING: {
    status: 503,
    message: "The replication slot does not exist; changes since it went away cannot be read.",
    remediation:
      "Create the slot again, start a new stream from it and have every reader load its data afresh.",
  },
  REPLICATION_SLOT_LOST: {
    status: 503,
    message:
      "The server has discarded log the replication slot still needed; the slot can no longer be read.",
    remediation:
      "Drop the slot, create it again and have every reader load its data afresh; raise max_slot_wal_keep_size if it recurs.",
  },
  REPLICATION_LOG_REPLACED: {
    status: 503,
    message: "The server's log ends before the position already read: it was restored from an older copy.",
    remediation: "Start a new stream from a new slot and have every reader load its data afresh.",
  },
  REPLICATION_PUBLICATION_MISSING: {
    status: 503,
    message: "A publication the stream reads from does not exist.",
    remediation: "Create the publications named in `details`; the stream tries again by itself.",
  },
  REPLICATION_SLOT_ACTIVE: {
    status: 409,
    message: "Another connection is reading from the replication slot.",
    remediation: "Stop the other reader first; a reader that was cut off lets go after wal_sender_timeout.",
  },
  REPLICATION_SETTINGS_REFUSED: {
    status: 503,
    message: "The server did not take the output settings that change capture depends on.",
    remediation: "Connect to Postgres directly: a connection pooler must not stand between.",
  },
  REPLICATION_PROTOCOL_ERROR: {
    status: 502,
    message: "The server sent bytes that are not logical replication protocol version 1.",
    remediation: "Connect to Postgres 14 or newer directly, without a proxy that changes the stream.",
  },
  REPLICATION_CONNECTION_LOST: {
    status: 503,
    message: "The replication connection ended or went silent.",
    remediation: "Nothing to do: the stream reconnects by itself and continues where it stopped.",
  },
});
