/** Writes the messages that pgoutput.ts reads, from the same description of the format. */
import { type Message, type Row, UNCHANGED } from "../pgoutput.ts";

const postgresEpochMs = Date.UTC(2000, 0, 1);

export function encodeMessage(message: Message): Buffer {
  switch (message.type) {
    case "begin":
      return Buffer.concat([
        tag("B"),
        int64(message.commitLsn),
        time(message.commitTime),
        int32(message.xid),
      ]);
    case "commit":
      return Buffer.concat([
        tag("C"),
        int8(0),
        int64(message.commitLsn),
        int64(message.endLsn),
        time(message.commitTime),
      ]);
    case "relation": {
      const { oid, schema, table, replicaIdentity, columns } = message.relation;
      const fields = columns.map((c) =>
        Buffer.concat([int8(c.isKey ? 1 : 0), cstring(c.name), int32(c.typeOid), int32(c.typmod)]),
      );
      const head = [tag("R"), int32(oid), cstring(schema === "pg_catalog" ? "" : schema), cstring(table)];
      return Buffer.concat([...head, tag(replicaIdentity), int16(columns.length), ...fields]);
    }
    case "type":
      return Buffer.concat([
        tag("Y"),
        int32(message.typeOid),
        cstring(message.schema),
        cstring(message.name),
      ]);
    case "origin":
      return Buffer.concat([tag("O"), int64(message.commitLsn), cstring(message.name)]);
    case "insert":
      return Buffer.concat([tag("I"), int32(message.relationOid), tag("N"), row(message.new)]);
    case "update": {
      const old = message.old ? [tag(message.oldKind === "full" ? "O" : "K"), row(message.old)] : [];
      return Buffer.concat([tag("U"), int32(message.relationOid), ...old, tag("N"), row(message.new)]);
    }
    case "delete": {
      const kind = tag(message.oldKind === "full" ? "O" : "K");
      return Buffer.concat([tag("D"), int32(message.relationOid), kind, row(message.old)]);
    }
    case "truncate": {
      const options = (message.cascade ? 1 : 0) | (message.restartIdentity ? 2 : 0);
      const oids = message.relationOids.map(int32);
      return Buffer.concat([tag("T"), int32(oids.length), int8(options), ...oids]);
    }
    case "message": {
      const { transactional, lsn, prefix, content } = message;
      const head = [tag("M"), int8(transactional ? 1 : 0), int64(lsn), cstring(prefix)];
      return Buffer.concat([...head, int32(content.length), content]);
    }
  }
}

function row(values: Row): Buffer {
  const parts = [int16(values.length)];
  for (const value of values) {
    if (value === null) parts.push(tag("n"));
    else if (value === UNCHANGED) parts.push(tag("u"));
    else parts.push(tag("t"), int32(Buffer.byteLength(value)), Buffer.from(value));
  }
  return Buffer.concat(parts);
}

const tag = (letter: string): Buffer => Buffer.from(letter, "latin1");
const cstring = (text: string): Buffer => Buffer.from(`${text}\0`);
const int8 = (value: number): Buffer => Buffer.from([value]);

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

/** Signed and unsigned alike: the same 32 bits. */
function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

function time(value: Date): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value.getTime() - postgresEpochMs) * 1000n);
  return bytes;
}
