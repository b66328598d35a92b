import { randomBytes } from "node:crypto";
import { isCanonical, opens, parseEntry } from "@ambit/ledger";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newSortableId, newUuid } from "../../kernel/ids.ts";
import { limits } from "./limits.ts";
import { prepareEntry } from "./prepare.ts";
import { draftOf } from "./testing/stand.ts";
import type { Json, JsonObject, LedgerDraft } from "./types.ts";

const prepared = (draft: LedgerDraft, nowMs = 1_763_000_000_123) =>
  prepareEntry(draft, { id: newSortableId("led", nowMs), nowMs, randomBytes });
const codeOf = (draft: LedgerDraft) => {
  try {
    return prepared(draft).id;
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("preparing an entry", () => {
  it("writes the canonical text of the draft, with commitments that the openings open and nothing of the values", () => {
    const plain = fc.stringMatching(/^[a-z]{1,8}$/);
    const sealed = fc.dictionary(plain, fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>, { maxKeys: 4 });
    fc.assert(
      fc.property(sealed, sealed, (data, values) => {
        const organizationId = newUuid();
        const made = prepared(
          draftOf(organizationId, { data: data as JsonObject, sealed: values, subject: "s" }),
        );
        expect(isCanonical(made.entry)).toBe(true);
        const entry = parseEntry(made.entry);
        expect(entry).toMatchObject({
          ...{
            v: 1,
            id: made.id,
            at: "2025-11-13T02:13:20.123Z",
            org: organizationId,
            subject: "s",
            app: null,
          },
          actor: { type: "person", id: "key_1", account: "acc_1" },
        });
        expect(entry.data).toEqual(JSON.parse(JSON.stringify(data)));
        const openings = JSON.parse(made.openings ?? "{}") as Record<string, string>;
        expect(Object.keys(openings).sort()).toEqual(Object.keys(values).sort());
        expect(Object.keys(entry.sealed).sort()).toEqual(Object.keys(values).sort());
        for (const [name, opening] of Object.entries(openings)) {
          expect(opens(entry.sealed[name]!, name, JSON.parse(opening))).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("seals equal values differently each time", () => {
    const [one, other] = [1, 2].map(() =>
      parseEntry(prepared(draftOf(null, { sealed: { name: "Ada" } })).entry),
    );
    expect(one!.sealed.name).not.toBe(other!.sealed.name);
  });

  it("refuses what the database or the library would not take, before it can spoil a batch", () => {
    const half = "\ud800";
    const refused: Partial<LedgerDraft>[] = [
      { kind: "" },
      { kind: `a${half}` },
      { kind: "a\0b" },
      { subject: "a\0b" },
      { appId: "a\0b" },
      { organizationId: "nobody" },
      { data: { x: Number.NaN } },
      { data: { x: undefined as never } },
      { sealed: { x: half } },
      { sealed: { "x\0y": 1 } },
      { actor: { type: "robot" as never, id: null } },
    ];
    for (const more of refused)
      expect([more, codeOf(draftOf(null, more))]).toEqual([more, "LEDGER_ENTRY_MALFORMED"]);
  });

  it("bounds the text and what is sealed", () => {
    const text = (length: number) => "ä".repeat(length / 2);
    expect(codeOf(draftOf(null, { data: { x: text(limits.entryBytes - 1_000) } }))).toMatch(/^led_/);
    expect(codeOf(draftOf(null, { data: { x: text(limits.entryBytes) } }))).toBe("LEDGER_ENTRY_TOO_LARGE");
    expect(codeOf(draftOf(null, { sealed: { x: text(limits.sealedBytes - 1_000) } }))).toMatch(/^led_/);
    expect(codeOf(draftOf(null, { sealed: { x: text(limits.sealedBytes) } }))).toBe("LEDGER_ENTRY_TOO_LARGE");
  });
});
