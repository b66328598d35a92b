import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Message, parseMessage, type Row, UNCHANGED, type Value } from "./pgoutput.ts";
import { encodeMessage } from "./testing/pgoutput-encoder.ts";

const oid = fc.integer({ min: 0, max: 0xffff_ffff });
const lsn = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
const time = fc.date({ min: new Date("1800-01-01"), max: new Date("2250-01-01"), noInvalidDate: true });
const name = fc.string({ unit: "binary" }).filter((text) => !text.includes("\0"));
const schema = fc.oneof(
  name.filter((text) => text !== ""),
  fc.constant("pg_catalog"),
);
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string(),
  fc.constant(null),
  fc.constant(UNCHANGED),
);
const row: fc.Arbitrary<Row> = fc.array(value, { maxLength: 40 });
const oldKind = fc.constantFrom("full" as const, "key" as const);
const column = fc.record({
  name,
  typeOid: oid,
  typmod: fc.integer({ min: -1, max: 0x7fff_ffff }),
  isKey: fc.boolean(),
});
const relation = fc.record({
  oid,
  schema,
  table: name,
  replicaIdentity: fc.constantFrom("d" as const, "n" as const, "f" as const, "i" as const),
  columns: fc.array(column, { maxLength: 30 }),
});
const update = fc.oneof(
  fc.record({ type: fc.constant("update"), relationOid: oid, old: row, oldKind, new: row }),
  fc.record({
    type: fc.constant("update"),
    relationOid: oid,
    old: fc.constant(null),
    oldKind: fc.constant(null),
    new: row,
  }),
);

const message = fc.oneof(
  fc.record({ type: fc.constant("begin"), commitLsn: lsn, commitTime: time, xid: oid }),
  fc.record({ type: fc.constant("commit"), commitLsn: lsn, endLsn: lsn, commitTime: time }),
  fc.record({ type: fc.constant("relation"), relation }),
  fc.record({ type: fc.constant("type"), typeOid: oid, schema, name }),
  fc.record({ type: fc.constant("origin"), commitLsn: lsn, name }),
  fc.record({ type: fc.constant("insert"), relationOid: oid, new: row }),
  update,
  fc.record({ type: fc.constant("delete"), relationOid: oid, old: row, oldKind }),
  fc.record({
    type: fc.constant("truncate"),
    relationOids: fc.array(oid, { maxLength: 20 }),
    cascade: fc.boolean(),
    restartIdentity: fc.boolean(),
  }),
  fc.record({
    type: fc.constant("message"),
    transactional: fc.boolean(),
    lsn,
    prefix: name,
    content: fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
  }),
) as fc.Arbitrary<Message>;

function codeOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return "no error";
}

describe("parseMessage", () => {
  it("reads back every message, wherever it starts in the buffer", () => {
    fc.assert(
      fc.property(message, fc.nat(40), (original, offset) => {
        const buffer = Buffer.concat([Buffer.alloc(offset, 0xff), encodeMessage(original)]);
        expect(parseMessage(buffer, offset)).toEqual(original);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses a message that is cut short or too long, and never reads beyond it", () => {
    fc.assert(
      fc.property(message, fc.nat(10_000), (original, cut) => {
        const whole = encodeMessage(original);
        const short = whole.subarray(0, cut % whole.length);
        expect(codeOf(() => parseMessage(short))).toBe("REPLICATION_PROTOCOL_ERROR");
        expect(codeOf(() => parseMessage(Buffer.concat([whole, Buffer.alloc(1)])))).toBe(
          "REPLICATION_PROTOCOL_ERROR",
        );
      }),
      { numRuns: 300 },
    );
  });

  it("answers any bytes with a message or a protocol error, however long they claim to be", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.constantFrom(..."BCRYOIUDTMxS"), (bytes, letter) => {
        const buffer = Buffer.concat([Buffer.from(letter), bytes]);
        expect(["no error", "REPLICATION_PROTOCOL_ERROR"]).toContain(codeOf(() => parseMessage(buffer)));
      }),
      { numRuns: 2000 },
    );
  });

  it("keeps nothing of the buffer, which the socket uses again", () => {
    const content = Buffer.from("content");
    const buffer = encodeMessage({ type: "message", transactional: true, lsn: 1n, prefix: "p", content });
    const parsed = parseMessage(buffer);
    buffer.fill(0);
    expect(parsed).toMatchObject({ prefix: "p", content: Buffer.from("content") });
  });
});
