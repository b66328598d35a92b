/** Change capture: the ordered stream of committed changes of a database, and its values as JSON. */
export {
  type ChangeStream,
  type ChangeStreamOptions,
  type ChangeStreamState,
  openChangeStream,
  type StatusDetail,
} from "./change-stream.ts";
export { errors as replicationErrors } from "./errors.ts";
export { type JsonRenderer, jsonRenderer, renderJson } from "./json-text.ts";
export { formatLsn, parseLsn } from "./lsn.ts";
export { type Relation, type RelationColumn, type Row, UNCHANGED, type Value } from "./pgoutput.ts";
export { copySlot, createSlot, dropSlot, type SlotStatus, slotStatus } from "./slots.ts";
export type { StreamEvent, Transaction } from "./transactions.ts";
export { loadUserTypes, type UserType, type UserTypes } from "./user-types.ts";
export { LogRing, type WindowOptions } from "./window.ts";
export type { LogWindow } from "./window-types.ts";
