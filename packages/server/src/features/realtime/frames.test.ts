import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changeFrame, placeOf } from "./frames.ts";
import { received } from "./testing/received.ts";
import type { Outcome } from "./visibility.ts";

describe("placeOf", () => {
  it("gives texts that sort like (position, index)", () => {
    const place = fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.nat(2 ** 31));
    fc.assert(
      fc.property(place, place, (a, b) => {
        const before = a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
        const [x, y] = [a, b].map(([lsn, index]) => placeOf(lsn, new Date(0), index).seq);
        expect(x! < y!).toBe(before);
      }),
    );
  });
});

describe("changeFrame", () => {
  const place = placeOf(16n, new Date(1_000), 2);
  const made = (outcome: Outcome, id: string | null = null) =>
    received(
      changeFrame(
        { table: 'a"b', place },
        { outcome, id },
        () => '{"id":1}',
        () => '{"id":0}',
      ),
    )[0];

  it("has the fields clients read", () => {
    expect(made("update")).toEqual({
      type: "change",
      table: 'a"b',
      op: "UPDATE",
      record: { id: 1 },
      old_record: { id: 0 },
      timestamp: "1970-01-01T00:00:01.000Z",
      seq: "0000000000000010-00000002",
    });
    expect(made("enter")).toMatchObject({
      op: "INSERT",
      reason: "enter",
      record: { id: 1 },
      old_record: null,
    });
    expect(made("leave")).toMatchObject({
      op: "DELETE",
      reason: "leave",
      record: null,
      old_record: { id: 0 },
    });
    expect(made("insert")).not.toHaveProperty("reason");
    expect(made("insert")).not.toHaveProperty("id");
    expect(made("insert", 'm"1')).toMatchObject({ op: "INSERT", id: 'm"1' });
    expect(made("delete")).toMatchObject({ op: "DELETE", record: null, old_record: { id: 0 } });
  });
});
