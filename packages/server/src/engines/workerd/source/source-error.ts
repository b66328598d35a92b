/** Why a file is refused. */
export type SourceReason =
  | "SOURCE_TOO_LARGE"
  | "SOURCE_TOO_COMPLEX"
  | "SYNTAX_ERROR"
  | "UNSUPPORTED_SYNTAX"
  | "DISALLOWED_IMPORT"
  | "EXPORT_DEFAULT_NOT_SUPPORTED"
  | "NO_EXPORTED_CLASS"
  | "MULTIPLE_EXPORTED_CLASSES"
  | "EXTRA_EXPORT"
  | "INVALID_CLASS_NAME"
  | "NO_HANDLER";

/** A place in a file; both count from 1, columns in UTF-16 units as editors show them. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What a refusal says, as data: it crosses from the compiler's process to the server's. */
export interface Refusal {
  readonly reason: SourceReason;
  readonly message: string;
  readonly remediation: string;
  readonly at: Position | null;
}

/** A file of user code that can't be deployed. `message` is one sentence that begins with `<file>:<line>:<column>`. */
export class SourceError extends Error {
  readonly reason: SourceReason;
  readonly line: number | null;
  readonly column: number | null;
  readonly remediation: string;

  constructor(fileName: string, refusal: Refusal) {
    const { at, message } = refusal;
    super(`${fileName}${at === null ? "" : `:${at.line}:${at.column}`}: ${message}`);
    this.name = "SourceError";
    this.reason = refusal.reason;
    this.line = at?.line ?? null;
    this.column = at?.column ?? null;
    this.remediation = refusal.remediation;
  }
}

/** Thrown while a file is judged; the compiler's process turns it into its answer. */
export class RefusedSource extends Error {
  readonly refusal: Refusal;

  constructor(reason: SourceReason, at: Position | null, message: string, remediation: string) {
    super(message);
    this.refusal = { reason, at, message, remediation };
  }
}
