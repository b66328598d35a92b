import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Ledger } from "../ledger/service.ts";
import { exportAndVerify } from "../ledger/testing/stand.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
let owner: Member;
let agent: Member;
beforeAll(async () => {
  stand = await substrateStand();
  owner = await stand.member("owner");
  agent = await stand.member("developer", { kind: "agent" });
  await Promise.all([stand.memory.feature.start!(), stand.ledger.feature.start!()]);
});
afterAll(async () => {
  await Promise.all([stand.memory.feature.stop!(), stand.ledger.feature.stop!()]);
  await stand.stop();
});

type Any = any;
const action = (id: string): Promise<Any> => stand.substrate.service.action(stand.organizationId, id);
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error) => error.code,
  );

/** Every text kept anywhere in Ambit's own tables, but the index of words searched by is derived. */
async function kept(needle: string): Promise<string[]> {
  const { database } = stand.platform;
  const tables = await database.query<{ name: string }>(
    "select relname as name from pg_class where relnamespace = 'ambit'::regnamespace and relkind = 'r'",
  );
  const found: string[] = [];
  for (const { name } of tables) {
    const rows = await database.query<{ n: number }>(
      `select count(*)::int as n from ambit."${name}" t where to_jsonb(t)::text ilike '%' || $1 || '%'`,
      [needle],
    );
    if (rows[0]!.n > 0) found.push(name);
  }
  return found;
}

describe("erasing", () => {
  it("takes a person's values out of the memory, its history, the actions, the inbox and the ledger", {
    timeout: 40_000,
  }, async () => {
    const made = await stand.propose(
      ...([
        agent,
        "upsert_entity",
        { type: "person", display_name: "Zebulon Pike", primary_email: "zebulon@pike.example" },
      ] as const),
      { idempotencyKey: "z1" },
    );
    const id = (made.result as Any).entity_id;
    const patched = await stand.propose(agent, "patch_entity", {
      id,
      attrs_patch: { nickname: "zebulon the bold" },
    });
    const waiting = await stand.propose(agent, "delete_entity", { id, reason: "zebulon asked for it" });
    const rejected = await stand.propose(agent, "delete_entity", { id, reason: "zebulon left" });
    await owner.call("substrate.reject", { action_id: rejected.action_id, reason: "zebulon stays" });
    expect((await kept("zebulon")).sort()).toEqual(
      expect.arrayContaining(["ledger_openings", "memory_records", "memory_versions", "substrate_actions"]),
    );
    const entriesBefore = await stand.entries(made.action_id);

    const erased = await owner.call<Any>("substrate.erase", { entity_id: id, reason: "asked by the person" });
    const concerned = [made, patched, waiting, rejected].map(({ action_id }) => action_id);
    expect(erased.actions.toSorted()).toEqual(concerned.toSorted());
    expect(erased.memory_values).toBeGreaterThan(0);
    expect(erased.ledger_values).toBeGreaterThan(0);
    // The words searches go by are counted a little later.
    await vi.waitFor(async () => expect(await kept("zebulon")).toEqual([]), {
      timeout: 20_000,
      interval: 250,
    });

    expect(await action(made.action_id)).toMatchObject({
      ...{
        status: "executed",
        payload: { erased: true },
        result: { erased: true },
        erased_at: expect.any(String),
      },
      ...{ idempotency_key: "z1", changes: [{ id, change: "created" }] },
    });
    expect(await action(waiting.action_id)).toMatchObject({
      ...{ status: "rejected", payload: { erased: true }, approval: { status: "cancelled" } },
    });
    expect(await codeOf(owner.call("substrate.approve", { action_id: waiting.action_id }))).toBe(
      "wrong_status",
    );
    expect(await stand.entries(made.action_id)).toEqual(entriesBefore);
    const { report } = await exportAndVerify(stand.ledger.service as Ledger, stand.organizationId);
    expect(report).toMatchObject({ ok: true });
    expect(report.openings.erased).toBeGreaterThan(0);
  });

  it("a key stays taken, and still knows which proposal it was for", async () => {
    const payload = { title: "Quillon", description: "secret of quillon" };
    const first = await stand.propose(agent, "record_learning", payload, { idempotencyKey: "z2" });
    const { actions } = await owner.call<Any>("substrate.erase", {
      action_ids: [first.action_id],
      reason: "x",
    });
    expect(actions).toEqual([first.action_id]);
    const again = await stand.propose(agent, "record_learning", payload, { idempotencyKey: "z2" });
    expect(again).toMatchObject({ action_id: first.action_id, replay: true, result: { erased: true } });
    const other = { ...payload, title: "Other" };
    expect(await codeOf(stand.propose(agent, "record_learning", other, { idempotencyKey: "z2" }))).toBe(
      "IDEMPOTENCY_CONFLICT",
    );
    const rows = await stand.platform.database.query("select * from ambit.substrate_actions where id = $1", [
      first.action_id,
    ]);
    expect(JSON.stringify(rows)).not.toContain("quillon");
  });

  it("is for an owner in person, and says what it needs", async () => {
    expect(
      await codeOf(agent.call("substrate.erase", { entity_id: "ent_x", reason: "x" }, { role: "owner" })),
    ).toBe("AUTH_PERSON_REQUIRED");
    expect(await codeOf(owner.call("substrate.erase", { reason: "x" }))).toBe("VALIDATION_INVALID_SCHEMA");
    expect(await codeOf(owner.call("substrate.erase", { entity_id: "ent_x" }))).toBe(
      "VALIDATION_INVALID_SCHEMA",
    );
  });
});
