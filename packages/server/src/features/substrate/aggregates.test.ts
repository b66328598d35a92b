import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newSortableId } from "../../kernel/ids.ts";
import type { JsonObject } from "../ledger/service.ts";
import { readAggregates } from "./aggregates.ts";
import { applies } from "./constraints/applies-to.ts";
import { decimalText, plus, readDecimal } from "./constraints/decimal.ts";
import { plainUnit } from "./constraints/unit.ts";
import { aggregateQuestions, relevantPrinciples } from "./principles.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
beforeAll(async () => {
  stand = await substrateStand();
});
afterAll(() => stand.stop());

const NOON = Date.parse("2026-11-18T12:00:00Z");

describe("what Postgres adds up", () => {
  const CAPABILITIES = ["record_commitment", "place_call", "record_decision"];
  const scalar = fc.constantFrom<any>("a", "A", " a", 1, 1.5, "1", true, null, 0.1);
  const payload = fc.record(
    {
      amount: fc.oneof(
        fc.integer({ min: -50, max: 500 }).map((each) => each / 10),
        scalar,
      ),
      unit: fc.constantFrom<any>("EUR", "eur ", "\tEur\n", "USD", 5, null, "\u212Aur", "ÉUR"),
      tag: fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), fc.constant({ a: 1 })),
      attrs: fc.record({ tag: scalar, list: fc.array(scalar, { maxLength: 2 }) }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );
  const row = fc.record({
    capability: fc.constantFrom(...CAPABILITIES),
    payload,
    hoursAgo: fc.integer({ min: -30, max: 400 }),
    status: fc.constantFrom("executed", "executed", "executed", "proposed", "rejected"),
  });
  const values = fc.oneof(scalar, fc.array(scalar, { minLength: 1, maxLength: 3 }));
  const appliesTo = fc.dictionary(fc.constantFrom("tag", "attrs.tag", "attrs.list.0", "attrs.list"), values, {
    maxKeys: 2,
  });
  const named = fc.constantFrom<any>(
    {},
    { capability: "place_call" },
    { capability: CAPABILITIES.slice(0, 2) },
  );
  const constraint = fc.record({
    type: fc.constant("max_amount_per_window"),
    params: fc.record(
      {
        ...{ field: fc.constantFrom("amount", "attrs.list.0"), max: fc.constant(1) },
        ...{ window: fc.constantFrom("hour", "day", "week", "month"), unit: fc.constantFrom("EUR", "kur") },
        unit_field: fc.constantFrom("unit", "attrs.tag"),
      },
      { requiredKeys: ["field", "max", "window", "unit_field"] },
    ),
  });

  it("is what the decision would have counted, row by row", async () => {
    const { database } = stand.platform;
    const insert = async (
      organizationId: string,
      each: { capability: string; payload: any; hoursAgo: number; status: string },
    ) => {
      const at = new Date(NOON - each.hoursAgo * 3_600_000);
      await database.query(
        `insert into ambit.substrate_actions (organization_id, id, capability, payload, status, verdict, proposer_kind,
           proposer_id, proposer_label, payload_hash, ledger_entry_id, proposed_at, executed_at)
         values ($1, $2, $3, $4, $5, '{}', 'agent', 'x', 'x', 'x', 'x', $6, $7)`,
        [
          ...[
            organizationId,
            newSortableId("act", NOON),
            each.capability,
            JSON.stringify(each.payload),
            each.status,
          ],
          ...[at, each.status === "executed" ? at : null],
        ],
      );
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 12 }),
        appliesTo,
        named,
        constraint,
        async (rows, matchers, names, spec) => {
          const organizationId = await stand.organization();
          for (const each of rows) await insert(organizationId, each);
          const principle = {
            ...{ id: "dec_1", title: "x", rationale: null, constraint: spec as JsonObject },
            appliesTo: { ...matchers, ...names } as JsonObject,
          };
          const everywhere = { ...principle, appliesTo: {} };
          const [relevant] = relevantPrinciples([everywhere], "place_call", {});
          const { about } = aboutOf(principle);
          const [question] = aggregateQuestions([{ ...relevant!, about }], NOON);
          const answers = await readAggregates(database, organizationId, [question!]);
          const counted = rows.filter(
            (each) =>
              each.status === "executed" &&
              NOON - each.hoursAgo * 3_600_000 >= question!.fromMs &&
              NOON - each.hoursAgo * 3_600_000 < question!.untilMs &&
              applies(about, each.capability, each.payload as JsonObject),
          );
          const { field, unit, unit_field } = spec.params;
          const amounts = counted.map(({ payload: { amount, attrs, unit: plain } }: any) => {
            const value = field === "amount" ? amount : attrs?.list?.[0];
            const its = unit_field === "unit" ? plain : attrs?.tag;
            const right =
              unit === undefined || (typeof its === "string" && plainUnit(its) === plainUnit(unit));
            return right && typeof value === "number" && value > 0 ? value : 0;
          });
          const sum = amounts.map((each) => readDecimal(String(each))!).reduce(plus, readDecimal("0")!);
          const answer = answers.get("dec_1")!;
          expect(answer.count).toBe(counted.length);
          expect(decimalText(readDecimal(answer.sum)!)).toBe(decimalText(sum));
        },
      ),
      { seed: 12, numRuns: 150 },
    );
  }, 60_000);
});

/** What a principle is about, without asking whether it is about one payload. */
function aboutOf(principle: { appliesTo: JsonObject }) {
  const { capability = null, ...matchers } = principle.appliesTo as any;
  return {
    about: {
      capabilities: capability === null ? null : [capability].flat(),
      matchers: Object.entries(matchers).map(([path, value]) => ({
        path: path.split("."),
        values: [value].flat() as any,
      })),
    },
  };
}

describe("at the limit", () => {
  let owner: Member;
  let agent: Member;
  beforeAll(async () => {
    stand.setTime(NOON);
    const organizationId = await stand.organization();
    owner = await stand.member("owner", { organizationId });
    agent = await stand.member("developer", { organizationId, kind: "agent" });
  });

  const commit = (amount: number, node = stand as Pick<Stand, "substrate">) =>
    node.substrate.service.propose(
      agent.proposer,
      {
        ...{ organizationId: agent.key.organizationId, capability: "record_commitment" },
        payload: { description: "Pay", status: "confirmed", amount, unit: "EUR" },
      },
      stand.now(),
    );

  it("N proposals at once let exactly the rest through, on two nodes", async () => {
    const principle = await stand.principle(
      owner,
      { type: "max_per_day", params: { n: 5 } },
      { capability: "record_commitment" },
    );
    await commit(1);
    await commit(1);
    const nodes = [stand, stand.node()];
    const answers = await Promise.all(Array.from({ length: 16 }, (_, n) => commit(1, nodes[n % 2])));
    const results = answers.map(({ verdict }) => verdict.result);
    expect(results.filter((each) => each === "auto_approved")).toHaveLength(3);
    const refused = answers.filter(({ requires_approval }) => requires_approval);
    expect(refused).toHaveLength(13);
    expect(refused[0]!.verdict).toMatchObject({
      conflicts: [
        {
          principle_id: principle.id,
          reason: "at most 5 are allowed per day, and 5 were executed today (UTC).",
        },
      ],
    });
    await principle.retire();
  });

  it("amounts at once never pass the sum, and another day is another window", async () => {
    stand.setTime(NOON + 86_400_000);
    const principle = await stand.principle(
      owner,
      { type: "max_amount_per_window", params: { field: "amount", max: 1, window: "day", unit: "eur" } },
      { capability: "record_commitment" },
    );
    const answers = await Promise.all(Array.from({ length: 15 }, () => commit(0.1)));
    expect(answers.filter(({ requires_approval }) => !requires_approval)).toHaveLength(10);
    stand.setTime(NOON + 2 * 86_400_000);
    expect((await commit(1)).requires_approval).toBe(false);
    expect((await commit(0.001)).requires_approval).toBe(true);
    await principle.retire();
  });

  it("proposals under several principles don't wait for each other in a circle", async () => {
    stand.setTime(NOON + 3 * 86_400_000);
    const spec = { type: "max_per_day", params: { n: 7 } };
    const both = { capability: ["record_commitment", "record_learning"] };
    const principles = [
      await stand.principle(owner, spec, both),
      await stand.principle(owner, spec, { capability: "record_commitment" }),
      await stand.principle(owner, spec, { capability: "record_learning" }),
    ];
    const learn = () => stand.propose(agent, "record_learning", { title: "a", description: "b" });
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, n) => (n % 2 === 0 ? commit(1) : learn())),
    );
    expect(answers.filter(({ requires_approval }) => !requires_approval)).toHaveLength(7);
    for (const principle of principles) await principle.retire();
  });
});
