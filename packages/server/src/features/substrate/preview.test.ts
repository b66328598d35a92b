import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../ledger/service.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
let owner: Member;
let agent: Member;
const entities: string[] = [];
const actions: string[] = [];
beforeAll(async () => {
  stand = await substrateStand();
  owner = await stand.member("owner");
  agent = await stand.member("developer", { kind: "agent" });
  for (let n = 0; n < 4; n++) {
    const payload = { type: "person", display_name: `P${n}`, primary_email: `p${n}@x.example` };
    const { action_id, result } = await stand.propose(agent, "upsert_entity", payload);
    actions.push(action_id);
    entities.push((result as any).entity_id);
  }
});
afterAll(() => stand.stop());

/** What two runs of the same can't share: ids made for them, and when they were. */
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value)
      .replace(/\b(act|ent|dec|com|lrn|art|lnk)_[0-9a-z]{26}\b/g, (id) =>
        entities.includes(id) ? id : "new",
      )
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "then"),
  );

const id = fc.nat(3).map((n) => entities[n]!);
const text = fc.constantFrom("One", "Two", "Three");
const email = fc.option(fc.constantFrom("p1@x.example", "p2@x.example", "new@x.example"), { nil: undefined });
const json = (arbitrary: fc.Arbitrary<Record<string, unknown>>) =>
  arbitrary.map((each) => JSON.parse(JSON.stringify(each)) as JsonObject);

/** Proposals on a small world, of which some can't be done. */
const proposal = fc.oneof(
  json(fc.record({ type: fc.constant("person"), display_name: text, primary_email: email })).map(
    named("upsert_entity"),
  ),
  json(fc.record({ id, display_name: text })).map(named("update_entity")),
  json(fc.record({ id, attrs_patch: fc.dictionary(fc.constantFrom("a", "b"), fc.option(fc.nat(3))) })).map(
    named("patch_entity"),
  ),
  json(
    fc.record({ description: text, status: fc.constant("confirmed"), from_entity: id, amount: fc.nat(9) }),
  ).map(named("record_commitment")),
  json(fc.record({ loser_id: id, winner_id: id, reason: text })).map(named("merge_entities")),
  json(fc.record({ from_id: id, to_id: id, relation: text })).map(named("link_records")),
  fc.nat(40).map((n) => ["revert_action", { action_id: actions[n % actions.length]! }] as const),
);
function named(capability: string) {
  return (payload: JsonObject) => [capability, payload] as const;
}

describe("a preview", () => {
  it("shows exactly what executing then does, or why it fails, and changes nothing", async () => {
    const { database } = stand.platform;
    const everything = () =>
      database.query(
        `select (select count(*) from ambit.substrate_actions) as actions, (select count(*) from ambit.ledger_entries) as
           entries, (select jsonb_agg(r order by id) from ambit.memory_records r) as records,
           (select count(*) from ambit.memory_versions) as versions`,
      );
    await fc.assert(
      fc.asyncProperty(proposal, async ([capability, payload]) => {
        const whole = { organizationId: stand.organizationId, capability, payload };
        const before = await everything();
        const seen = await stand.substrate.service.preview(agent.proposer, whole, stand.now());
        expect(await everything()).toEqual(before);
        const asked = await stand.propose(agent, capability, payload).then(
          (answer) => ({ answer }),
          ({ code, message }) => ({ problem: { code, message } }),
        );
        if ("problem" in asked) {
          expect(plain(seen.problem)).toEqual(plain(asked.problem));
          return;
        }
        actions.push(asked.answer.action_id);
        expect(seen.verdict).toEqual(asked.answer.verdict);
        if (asked.answer.requires_approval) {
          await owner.call("substrate.approve", { action_id: asked.answer.action_id });
        }
        const row = (await stand.substrate.service.action(
          stand.organizationId,
          asked.answer.action_id,
        )) as any;
        if (seen.problem !== null) {
          expect(plain(row.error)).toEqual(plain(seen.problem));
          return;
        }
        expect(plain(row.result)).toEqual(plain(seen.result));
        const change = ({ before: b, after: a }: any) =>
          b === null ? "created" : a === null ? "deleted" : "updated";
        const shown = seen.changes.map((each: any) => ({
          id: each.id,
          kind: each.kind,
          change: change(each),
        }));
        expect(plain(row.changes)).toEqual(plain(shown));
        for (const { id, after } of seen.changes as any[]) {
          if (after === null || !entities.includes(id)) continue;
          const record = await stand.memory.service.get(
            { organizationId: stand.organizationId, scope: null },
            id,
          );
          if (record?.id === id)
            expect(plain({ ...record, version: 0 })).toEqual(plain({ ...after, version: 0 }));
        }
      }),
      { seed: 13, numRuns: 120 },
    );
  }, 120_000);

  it("tells the verdict that principles would give", async () => {
    const { retire } = await stand.principle(
      owner,
      { type: "max_per_day", params: { n: 0 } },
      { capability: "place_call" },
    );
    const seen = await owner.call<any>("substrate.preview", {
      capability: "place_call",
      payload: { to: "1", purpose: "x" },
    });
    expect(seen).toMatchObject({
      verdict: { result: "requires_approval", conflicts: [{ title: "A principle" }] },
      result: { queued: 0 },
      problem: null,
    });
    await retire();
  });
});
