import { sha256Hex } from "../../kernel/ids.ts";
import type { ReadScope } from "../memory/service.ts";

/** Where a reader stands: in which run of which node's reading, seeing how much, after which change. */
export interface Cursor {
  readonly epoch: string;
  /** Of the scope; the same for the same scope on every node. */
  readonly tag: string;
  readonly place: string;
}

const FORM = /^([\w-]{1,40})\.([0-9a-z]{1,16})\.([0-9A-F]{16}-[0-9A-F]{8})$/;

export const formatCursor = ({ epoch, tag, place }: Cursor): string => `${epoch}.${tag}.${place}`;

/** Null for anything that was never a cursor. */
export function parseCursor(text: string): Cursor | null {
  const parts = FORM.exec(text);
  return parts === null ? null : { epoch: parts[1]!, tag: parts[2]!, place: parts[3]! };
}

/** Stands for any text that never was a cursor. */
export const UNKNOWN_CURSOR = "unknown";

/** In front of every change. */
export const FIRST_PLACE = "0000000000000000-00000000";

const tags = new WeakMap<ReadScope, string>();

/** A short name of a scope: what was seen under one tells nothing about what another shows. */
export function tagOf(scope: ReadScope | null): string {
  if (scope === null) return "all";
  let tag = tags.get(scope);
  if (tag === undefined) {
    const { appId, kinds, entityTypes, ownOnly } = scope;
    const parts = [
      appId,
      kinds && [...kinds].sort(),
      entityTypes && [...entityTypes].sort(),
      ownOnly === true,
    ];
    tag = sha256Hex(JSON.stringify(parts.map((part) => part ?? null))).slice(0, 12);
    tags.set(scope, tag);
  }
  return tag;
}
