/** What can be wrong with something this library is given to read. */
export type LedgerErrorCode =
  /** A value that canonical JSON can't hold. */
  | "not_canonical"
  /** An entry with a field too many, too few or of the wrong form. */
  | "entry_malformed"
  /** A line that is none of the export format. */
  | "line_malformed"
  /** A signed note, or the checkpoint in it, that does not follow its format. */
  | "checkpoint_malformed"
  /** A note without a signature by the key that was asked for. */
  | "unknown_key"
  /** A signature that was not made by the key it names. */
  | "bad_signature"
  /** A public key, seed or key name that is none. */
  | "key_malformed"
  /** Hashes, sizes or coordinates that make no tree. */
  | "tree_malformed";

/** The one error this library throws on purpose; `code` is stable, `message` says in plain words what is wrong. */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;
  constructor(code: LedgerErrorCode, message: string) {
    super(message);
    this.name = "LedgerError";
    this.code = code;
  }
}
