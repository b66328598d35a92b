import type { ChangeOp, SubstrateChange } from "./changes.ts";

/** A frame ready to be sent to any number of sockets: UTF-8 JSON. */
export type Frame = Buffer;

/** Why a reader is told to read again. */
export type ResyncReason =
  | "cursor_unknown"
  | "cursor_too_old"
  | "scope_changed"
  | "links_changed"
  | "stream_lost";

const frame = (fields: object): Frame => Buffer.from(JSON.stringify(fields));

/** The first frame; changes after `cursor` follow. */
export const helloFrame = (ts: string, cursor: string): Frame => frame({ type: "hello", ts, cursor });

/** Changes are missing between what was sent before and what comes now: everything is to be read again. */
export const resyncFrame = (reason: ResyncReason, cursor: string): Frame =>
  frame({ type: "resync", reason, cursor });

/** A change, without what is in it. */
export const changeFrame = (change: SubstrateChange, op: ChangeOp, cursor: string): Frame =>
  frame({ org: change.organizationId, op, tbl: change.tbl, id: change.id, cursor });
