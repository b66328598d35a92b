/** A value as JSON can hold it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonObject = { readonly [name: string]: Json };

/** Who did it. `id` names the key, rule, app or user within its kind. */
export interface LedgerActor {
  readonly type: "person" | "agent" | "app" | "rule" | "grant" | "user" | "system" | "anonymous";
  readonly id: string | null;
  /** The member who answers for it, where there is one. */
  readonly account?: string | null;
}

/**
 * One entry, as it is written: canonical JSON (RFC 8785) of exactly these fields. Everything in it is for ever;
 * what a person may ask to have erased stands in `sealed` as a commitment only.
 */
export interface LedgerEntry {
  readonly v: 1;
  /** `led_` and a ULID. */
  readonly id: string;
  /** When it was written, RFC 3339 in UTC with milliseconds. */
  readonly at: string;
  /** What happened, e.g. `substrate.action.executed`. */
  readonly kind: string;
  readonly org: string | null;
  readonly app: string | null;
  readonly actor: LedgerActor;
  /** What it is about, e.g. an action's id. */
  readonly subject: string | null;
  /** Facts that may stay for ever: ids, verdicts, names of capabilities. */
  readonly data: JsonObject;
  /** Name → commitment to a value kept elsewhere, see `commit`. */
  readonly sealed: { readonly [name: string]: string };
}

/** What opens a commitment; without it the value can't even be guessed. */
export interface Opening {
  /** 32 random bytes, base64. */
  readonly salt: string;
  readonly value: Json;
}
export type Openings = { readonly [name: string]: Opening };

/** A SHA-256 hash of the tree, 32 bytes. */
export type Hash = Buffer;

/** What a checkpoint says, once its signature has been checked. */
export interface Checkpoint {
  readonly origin: string;
  /** Number of entries. */
  readonly size: number;
  readonly root: Hash;
}
