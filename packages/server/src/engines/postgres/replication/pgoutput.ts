/**
 * Parser of the messages of Postgres' own output plugin `pgoutput`, protocol version 1 in text format.
 *
 * Source: PostgreSQL documentation, "Logical Replication Message Formats" (protocol-logicalrep-message-formats).
 * Pure: one buffer in, one message out. Values stay what the type's output function printed.
 */
import { errors } from "./errors.ts";
import { WireReader } from "./wire-reader.ts";

/**
 * The log does not carry this value. In a new row: a large (TOAST) value the statement did not touch. In an old
 * row: a column outside the table's replica identity. Never the same as `null`.
 */
export const UNCHANGED: unique symbol = Symbol("unchanged");

/** One value in Postgres text format, SQL NULL, or not in the log. */
export type Value = string | null | typeof UNCHANGED;

/** A row in its relation's column order. */
export type Row = Value[];

/** A column as the log names it. `typmod` is -1 when the type has no modifier. */
export interface RelationColumn {
  name: string;
  typeOid: number;
  typmod: number;
  /** Part of the replica identity. */
  isKey: boolean;
}

/** A published table at one point of the log: `d` default (primary key), `n` nothing, `f` full, `i` an index. */
export interface Relation {
  oid: number;
  schema: string;
  table: string;
  replicaIdentity: "d" | "n" | "f" | "i";
  columns: RelationColumn[];
}

/** How much of an old row the log carries: all of it (`full`) or the replica identity's columns (`key`). */
export type OldRowKind = "full" | "key";

export type Message =
  | { type: "begin"; commitLsn: bigint; commitTime: Date; xid: number }
  | { type: "commit"; commitLsn: bigint; endLsn: bigint; commitTime: Date }
  | { type: "relation"; relation: Relation }
  | { type: "type"; typeOid: number; schema: string; name: string }
  | { type: "origin"; commitLsn: bigint; name: string }
  | { type: "insert"; relationOid: number; new: Row }
  | { type: "update"; relationOid: number; old: Row | null; oldKind: OldRowKind | null; new: Row }
  | { type: "delete"; relationOid: number; old: Row; oldKind: OldRowKind }
  | { type: "truncate"; relationOids: number[]; cascade: boolean; restartIdentity: boolean }
  | { type: "message"; transactional: boolean; lsn: bigint; prefix: string; content: Buffer };

/**
 * Parses the one message that fills `buffer` from `offset` to its end. The result keeps nothing of the buffer.
 * Throws REPLICATION_PROTOCOL_ERROR if the bytes are not exactly one message of protocol version 1.
 */
export function parseMessage(buffer: Buffer, offset = 0): Message {
  const reader = new WireReader(buffer, offset);
  const message = parseBody(reader);
  if (reader.at !== buffer.length) throw malformed(`${buffer.length - reader.at} bytes too many`);
  return message;
}

function parseBody(reader: WireReader): Message {
  const tag = reader.byte();
  switch (tag) {
    case 0x49: // I
      return parseInsert(reader);
    case 0x55: // U
      return parseUpdate(reader);
    case 0x44: // D
      return parseDelete(reader);
    case 0x42: // B
      return { type: "begin", commitLsn: reader.lsn(), commitTime: reader.time(), xid: reader.uint32() };
    case 0x43: // C
      reader.byte(); // flags, always 0
      return { type: "commit", commitLsn: reader.lsn(), endLsn: reader.lsn(), commitTime: reader.time() };
    case 0x52: // R
      return { type: "relation", relation: parseRelation(reader) };
    case 0x54: // T
      return parseTruncate(reader);
    case 0x4d: // M
      return parseLogicalMessage(reader);
    case 0x59: // Y
      return { type: "type", typeOid: reader.uint32(), schema: reader.schema(), name: reader.cstring() };
    case 0x4f: // O
      return { type: "origin", commitLsn: reader.lsn(), name: reader.cstring() };
    default:
      throw malformed(`message type 0x${tag.toString(16)}`);
  }
}

function parseInsert(reader: WireReader): Message {
  const relationOid = reader.uint32();
  const tag = reader.byte();
  if (tag !== newTuple) throw malformed(`tuple type 0x${tag.toString(16)} in an insert`);
  return { type: "insert", relationOid, new: parseRow(reader) };
}

function parseUpdate(reader: WireReader): Message {
  const relationOid = reader.uint32();
  let tag = reader.byte();
  let old: Row | null = null;
  let oldKind: OldRowKind | null = null;
  if (tag !== newTuple) {
    oldKind = oldTupleKind(tag);
    old = parseRow(reader);
    tag = reader.byte();
    if (tag !== newTuple) throw malformed(`tuple type 0x${tag.toString(16)} after the old tuple`);
  }
  return { type: "update", relationOid, old, oldKind, new: parseRow(reader) };
}

function parseDelete(reader: WireReader): Message {
  const relationOid = reader.uint32();
  const oldKind = oldTupleKind(reader.byte());
  return { type: "delete", relationOid, old: parseRow(reader), oldKind };
}

const newTuple = 0x4e; // N

function oldTupleKind(tag: number): OldRowKind {
  if (tag === 0x4f) return "full"; // O
  if (tag === 0x4b) return "key"; // K
  throw malformed(`tuple type 0x${tag.toString(16)}`);
}

function parseRow(reader: WireReader): Row {
  const count = reader.count(reader.int16(), 1);
  const row: Row = new Array(count);
  for (let i = 0; i < count; i++) {
    const kind = reader.byte();
    if (kind === 0x74)
      row[i] = reader.text(reader.int32()); // t
    else if (kind === 0x6e)
      row[i] = null; // n
    else if (kind === 0x75)
      row[i] = UNCHANGED; // u
    else throw malformed(`column format 0x${kind.toString(16)}`);
  }
  return row;
}

function parseRelation(reader: WireReader): Relation {
  const oid = reader.uint32();
  const schema = reader.schema();
  const table = reader.cstring();
  const replicaIdentity = String.fromCharCode(reader.byte());
  if (!isReplicaIdentity(replicaIdentity)) throw malformed(`replica identity ${replicaIdentity}`);
  const columns: RelationColumn[] = new Array(reader.count(reader.int16(), 10));
  for (let i = 0; i < columns.length; i++) {
    const isKey = (reader.byte() & 1) === 1;
    columns[i] = { name: reader.cstring(), typeOid: reader.uint32(), typmod: reader.int32(), isKey };
  }
  return { oid, schema, table, replicaIdentity, columns };
}

function isReplicaIdentity(letter: string): letter is Relation["replicaIdentity"] {
  return letter === "d" || letter === "n" || letter === "f" || letter === "i";
}

function parseTruncate(reader: WireReader): Message {
  const count = reader.int32();
  const options = reader.byte();
  const relationOids: number[] = new Array(reader.count(count, 4));
  for (let i = 0; i < relationOids.length; i++) relationOids[i] = reader.uint32();
  return {
    type: "truncate",
    relationOids,
    cascade: (options & 1) !== 0,
    restartIdentity: (options & 2) !== 0,
  };
}

function parseLogicalMessage(reader: WireReader): Message {
  const transactional = reader.byte() === 1;
  const lsn = reader.lsn();
  const prefix = reader.cstring();
  return { type: "message", transactional, lsn, prefix, content: reader.bytes(reader.int32()) };
}

function malformed(what: string) {
  return errors.REPLICATION_PROTOCOL_ERROR({ details: { unexpected: what } });
}
