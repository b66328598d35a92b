import { canonicalEntry, commit, LedgerError, newOpening } from "@ambit/ledger";
import { ledgerErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { Json, LedgerDraft } from "./types.ts";

/** An entry as it is written. */
export interface PreparedEntry {
  readonly id: string;
  readonly organizationId: string | null;
  readonly appId: string | null;
  readonly kind: string;
  readonly subject: string | null;
  /** RFC 3339 */
  readonly at: string;
  /** Canonical JSON. */
  readonly entry: string;
  /** JSON of name → JSON text of {salt, value}; null when nothing is sealed. */
  readonly openings: string | null;
  /** What it takes in a batch. */
  readonly bytes: number;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Makes the entry of a draft: commits to what it seals and writes the canonical text. Everything that could keep the
 * database from taking it is refused here: LEDGER_ENTRY_MALFORMED, LEDGER_ENTRY_TOO_LARGE.
 */
export function prepareEntry(
  draft: LedgerDraft,
  made: { readonly id: string; readonly nowMs: number; readonly randomBytes: (size: number) => Buffer },
): PreparedEntry {
  const { organizationId, kind, appId = null, subject = null } = draft;
  if (organizationId !== null && !UUID.test(organizationId))
    throw malformed("An organisation's id is a UUID.");
  for (const text of [kind, appId, subject])
    if (text?.includes("\0")) throw malformed("A kind, app or subject holds no zero character.");
  const at = new Date(made.nowMs).toISOString();
  try {
    const { sealed, openings } = seal(draft.sealed ?? {}, made.randomBytes);
    const { account } = draft.actor;
    const entry = canonicalEntry({
      ...{ v: 1, id: made.id, at, kind, org: organizationId, app: appId, subject, sealed },
      actor: {
        type: draft.actor.type,
        id: draft.actor.id,
        ...(account === undefined ? {} : { account }),
      },
      data: draft.data ?? {},
    });
    const entryBytes = Buffer.byteLength(entry);
    const sealedBytes = openings === null ? 0 : Buffer.byteLength(openings);
    refuseTooLarge("entry_bytes", entryBytes, limits.entryBytes);
    refuseTooLarge("sealed_bytes", sealedBytes, limits.sealedBytes);
    const bytes = entryBytes + sealedBytes;
    return { id: made.id, organizationId, appId, kind, subject, at, entry, openings, bytes };
  } catch (error) {
    throw error instanceof LedgerError ? malformed(error.message, error) : error;
  }
}

function seal(
  values: { readonly [name: string]: Json },
  randomBytes: (size: number) => Buffer,
): { sealed: Record<string, string>; openings: string | null } {
  const sealed: Record<string, string> = {};
  const openings: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) {
    if (name.includes("\0")) throw malformed("The name of a sealed value holds no zero character.");
    const opening = newOpening(value, randomBytes);
    sealed[name] = commit(name, value, Buffer.from(opening.salt, "base64"));
    openings[name] = JSON.stringify(opening);
  }
  const none = Object.keys(values).length === 0;
  return { sealed, openings: none ? null : JSON.stringify(openings) };
}

function refuseTooLarge(limit: "entry_bytes" | "sealed_bytes", bytes: number, most: number): void {
  if (bytes > most) throw ledgerErrors.LEDGER_ENTRY_TOO_LARGE({ details: { limit, bytes, most } });
}

const malformed = (message: string, cause?: unknown) =>
  ledgerErrors.LEDGER_ENTRY_MALFORMED({ message, cause });
