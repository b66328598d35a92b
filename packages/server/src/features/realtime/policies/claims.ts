import type { Identity } from "../judge.ts";
import { limits } from "./limits.ts";

/** Not certain without SQL. */
export const UNCLEAR: unique symbol = Symbol("unclear");
export type Unclear = typeof UNCLEAR;

/** Escapes that Postgres refuses when it takes a text out of JSON. */
const REFUSED_ESCAPES = /\\u(0000|d[89a-f])/i;

/** An identity's claims as SQL reads them. */
export class Claims {
  /** `current_setting('request.jwt.claims', true)` */
  readonly text: string;
  readonly #subject: string;
  #document: unknown;
  #read = false;

  constructor(identity: Identity) {
    this.text = identity.claims;
    this.#subject = identity.subject;
  }

  /** `current_setting('request.jwt.claim.sub', true)` */
  get subject(): string | Unclear {
    return this.#subject.isWellFormed() && !this.#subject.includes("\0") ? this.#subject : UNCLEAR;
  }

  /** What `(claims)::json #>> path` gives. */
  at(path: readonly string[]): string | null | Unclear {
    if (!this.#read) {
      this.#document = parse(this.text);
      this.#read = true;
    }
    let value = this.#document;
    if (value === UNCLEAR) return UNCLEAR;
    for (const key of path) {
      // Some of the operators count an array's elements, others find nothing in it.
      if (Array.isArray(value)) return UNCLEAR;
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return null;
      value = (value as Record<string, unknown>)[key];
    }
    return scalarText(value);
  }
}

/** json and jsonb print these alike; of anything else they don't. */
function scalarText(value: unknown): string | null | Unclear {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : UNCLEAR;
}

/** The document, if it is written the way every parser reads alike. */
function parse(text: string): unknown {
  if (text.length > limits.claimsChars || REFUSED_ESCAPES.test(text)) return UNCLEAR;
  if ((text.match(/[[{]/g)?.length ?? 0) > limits.claimsParts) return UNCLEAR;
  try {
    const value: unknown = JSON.parse(text);
    return text.isWellFormed() && JSON.stringify(value) === text ? value : UNCLEAR;
  } catch {
    return UNCLEAR;
  }
}
