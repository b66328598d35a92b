import { formatLsn } from "../../engines/postgres/replication/lsn.ts";
import type { AnchorLook } from "./anchor-store.ts";
import type { WindowBounds } from "./anchor-target.ts";
import { limits } from "./limits.ts";
import type { Reader } from "./reader.ts";

/** What of the log is kept for realtime, and how far this node has come. Positions as Postgres prints them. */
export interface LogStatus {
  readonly streaming: boolean;
  /** Nobody listens: the log is read from time to time only. */
  readonly asleep: boolean;
  readonly epoch: string | null;
  /** `reserved`, `extended`, `unreserved` (about to be lost), `lost`, or null without a slot. */
  readonly walStatus: string | null;
  /** Write-ahead log kept for the window. */
  readonly keptBytes: number;
  /** What may still be written before the window is lost; null without a bound. */
  readonly safeBytes: number | null;
  /** From where on every node can read the log again, and since when about. */
  readonly keptFrom: { readonly position: string | null; readonly at: Date | null };
  /** Log that this node has not read yet. */
  readonly behindBytes: number;
  /** What clients of this node can come back to. */
  readonly window: {
    readonly from: string | null;
    readonly to: string;
    readonly oldest: Date | null;
    readonly transactions: number;
    readonly memoryBytes: number;
  };
  readonly bounds: { readonly ms: number; readonly walBytes: number; readonly memoryBytes: number };
  /** Other nodes, as far as this one has looked. */
  readonly otherNodes: number;
}

/** Bytes of log from `from` to the end. */
const upToEnd = ({ end }: AnchorLook, from: bigint | null): number =>
  from === null || from > end ? 0 : Number(end - from);

/** Log that Postgres keeps for the anchor. */
export const keptBytes = (look: AnchorLook): number => upToEnd(look, look.restartLsn);

export function statusOf(
  { windowMs, windowWalBytes, windowMemoryBytes }: WindowBounds & { readonly windowMemoryBytes: number },
  look: AnchorLook,
  keptSince: Date | null,
  { streaming, asleep, window, nodes }: Pick<Reader, "streaming" | "asleep" | "window" | "nodes">,
): LogStatus {
  const { from, to, oldest, size, bytes } = window;
  return {
    ...{ streaming, asleep, epoch: look.epoch, walStatus: look.walStatus },
    keptBytes: keptBytes(look),
    safeBytes: look.safeBytes === null ? null : Number(look.safeBytes),
    keptFrom: {
      position: look.confirmedLsn === null ? null : formatLsn(look.confirmedLsn),
      at: look.confirmedLsn === null ? null : keptSince,
    },
    behindBytes: upToEnd(look, to),
    window: {
      ...{ from: from === null ? null : formatLsn(from), to: formatLsn(to) },
      ...{ oldest, transactions: size, memoryBytes: bytes },
    },
    bounds: { ms: windowMs, walBytes: windowWalBytes, memoryBytes: windowMemoryBytes },
    otherNodes: nodes.others().length,
  };
}

/** What the operator is to be told of the anchor, or null. Pure. */
export function walWarning(look: AnchorLook): string | null {
  const { walStatus, safeBytes, maxKeptBytes } = look;
  if (walStatus === "lost")
    return "the window of changes was lost: max_slot_wal_keep_size is too small for it";
  if (walStatus === "unreserved") return "the window of changes is about to be lost";
  if (safeBytes === null || maxKeptBytes === null) return null;
  return Number(safeBytes) < Number(maxKeptBytes) * limits.walWarnShare
    ? "the log kept for the window of changes nears max_slot_wal_keep_size"
    : null;
}
