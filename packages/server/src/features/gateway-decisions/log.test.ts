import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { lowestIdAt } from "../ledger/entry-ids.ts";
import { limits } from "./limits.ts";
import { type DecisionStand, decisionStand } from "./testing/stand.ts";
import { DECISION_OUTCOMES, type DecisionOutcome } from "./types.ts";
import type { DecisionView } from "./wire.ts";

let stand: DecisionStand;
beforeAll(async () => {
  stand = await decisionStand();
});
afterAll(() => stand?.stop());

/** Every page of a list. */
async function everything(filter: Record<string, unknown>, key = {}): Promise<DecisionView[]> {
  const found: DecisionView[] = [];
  let before: string | null = null;
  for (let pages = 0; pages < 1_000; pages += 1) {
    const asked = { ...filter, ...(before === null ? {} : { before }) };
    const page: { decisions: DecisionView[]; next_before: string | null } = await stand.caller.call(
      ...(["gateway.list_decisions", asked, key] as const),
    );
    found.push(...page.decisions);
    before = page.next_before;
    if (before === null) return found;
  }
  throw new Error("the list has no end");
}

const idsOf = (decisions: readonly DecisionView[]) => decisions.map(({ decision_id }) => decision_id);

/** Puts rows into the ledger as if they had been written at these times, one a second, in bulk. */
async function fill(
  [kind, subject]: readonly [string, string | null],
  fromMs: number,
  rows: number,
  data: object = {},
  organizationId = stand.organizationId,
) {
  const stem = lowestIdAt(fromMs).slice(0, -16);
  await stand.asSuperuser(
    `insert into ambit.ledger_entries (id, organization_id, kind, subject, at, entry)
     select id, $1::uuid, $2, $3, to_timestamp($4::float8 / 1000), json_build_object('id', id, 'at', '2020-01-01T00:00:00.000Z',
       'kind', $2::text, 'data', $5::json, 'sealed', '{}'::json)::text
     from (select $6 || lpad(n::text, 16, '0') as id from generate_series(1, $7::int) as n) as made order by id`,
    [organizationId, kind, subject, fromMs, JSON.stringify(data), stem, rows],
  );
}

describe("a decision", () => {
  it("is in the ledger, about its grant, and in the list with everything but values", async () => {
    const serverId = await stand.server();
    const grantId = await stand.grant(serverId);
    const policyId = newUuid();
    const args = { to: "secret-value", amount: 7 };
    const id = await stand.record({
      ...{
        grantId,
        serverId,
        tool: "pay",
        requestId: "req_1",
        policyId,
        policyVersion: 3,
        outcome: "deny",
        args,
      },
      ...{ rule: "/tools/pay/deny_if/args.amount-gt", message: "Too much.", argumentKeys: ["amount", "to"] },
    });
    const { decisions } = await stand.list({ grant_id: grantId });
    expect(decisions).toEqual([
      {
        ...{
          decision_id: id,
          at: expect.any(String),
          request_id: "req_1",
          grant_id: grantId,
          server_id: serverId,
        },
        ...{ grant_label: expect.stringMatching(/^grant /), method: "tools/call", tool: "pay" },
        ...{
          policy_id: policyId,
          policy_version: 3,
          outcome: "deny",
          rule: "/tools/pay/deny_if/args.amount-gt",
        },
        ...{ message: "Too much.", argument_keys: ["amount", "to"], approval_id: null },
        ...{ upstream_status: null, latency_ms: null, problem: null },
      },
    ]);
    const [entry] = await stand.entries(grantId);
    expect(entry).toMatchObject({ kind: "gateway.deny", actor: { type: "grant", id: grantId } });
    expect(JSON.stringify([entry, decisions])).not.toContain("secret-value");
  });

  it("tells how its call ended, within a second", async () => {
    const serverId = await stand.server();
    const grantId = await stand.grant(serverId);
    const [first, second] = [
      await stand.record({ grantId, serverId }),
      await stand.record({ grantId, serverId }),
    ];
    const { organizationId } = stand;
    stand.decisions.ended({
      decisionId: first,
      organizationId,
      status: 200,
      latencyMs: 12.34567,
      problem: null,
    });
    stand.decisions.ended({
      decisionId: second,
      organizationId,
      status: 0,
      latencyMs: 3,
      problem: "timeout",
    });
    const started = performance.now();
    for (;;) {
      const { decisions } = await stand.list({ grant_id: grantId });
      if (decisions.every(({ upstream_status }) => upstream_status !== null)) {
        expect(decisions).toMatchObject([
          { decision_id: second, upstream_status: 0, latency_ms: 3, problem: "timeout" },
          { decision_id: first, upstream_status: 200, latency_ms: 12.346, problem: null },
        ]);
        break;
      }
      expect(performance.now() - started).toBeLessThan(1_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });

  it("keeps no values that are too large, and says so", async () => {
    const serverId = await stand.server();
    const grantId = await stand.grant(serverId);
    await stand.record({ grantId, serverId, args: { text: "x".repeat(limits.capturedChars) } });
    await stand.record({ grantId, serverId, args: { text: '"\\\u0001'.repeat(100_000) } });
    const [large, kept] = await stand.entries(grantId);
    expect([large!.data.values, large!.sealed]).toEqual(["too large", {}]);
    expect([kept!.data.values, Object.keys(kept!.sealed)]).toEqual([undefined, ["args"]]);
  });

  it("is refused, not lost, when it can't be written", async () => {
    const serverId = await stand.server();
    await expect(stand.record({ grantId: "gra_x", serverId, organizationId: "none" })).rejects.toMatchObject({
      code: "LEDGER_ENTRY_MALFORMED",
    });
  });
});

describe("the list", () => {
  it("gives exactly what fits, newest first, whatever is asked and however it is paged", async () => {
    const servers = [await stand.server(), await stand.server()];
    const grants = [
      [servers[0]!, await stand.grant(servers[0]!)],
      [servers[0]!, await stand.grant(servers[0]!)],
      [servers[1]!, await stand.grant(servers[1]!)],
    ] as const;
    const made: { id: string; serverId: string; grantId: string; tool: string; outcome: DecisionOutcome }[] =
      [];
    for (let n = 0; n < 120; n += 1) {
      const [serverId, grantId] = grants[(n * 7) % 3]!;
      const outcome = DECISION_OUTCOMES[(n * 5) % DECISION_OUTCOMES.length]!;
      const tool = ["read", 'we"ird\\tool', "read_more"][(n * 11) % 3]!;
      made.push({
        id: await stand.record({ serverId, grantId, tool, outcome }),
        serverId,
        grantId,
        tool,
        outcome,
      });
      if (n % 10 === 0)
        await stand.ledger.record({
          kind: "test.other",
          organizationId: stand.organizationId,
          actor: { type: "system", id: null },
          subject: grantId,
        });
    }
    await stand.caller.call("gateway.list_decisions");
    const newest = made.toReversed();
    for (const server_id of [undefined, ...servers])
      for (const grant_id of [undefined, grants[0][1], grants[2][1]])
        for (const tool of [undefined, 'we"ird\\tool', "rea"])
          for (const outcome of [undefined, "deny", "hold"]) {
            const asked = { server_id, grant_id, tool, outcome };
            const filter = Object.fromEntries(
              Object.entries(asked).filter(([, value]) => value !== undefined),
            );
            const expected = newest.filter(
              (each) =>
                (server_id ?? each.serverId) === each.serverId &&
                (grant_id ?? each.grantId) === each.grantId &&
                (tool ?? each.tool) === each.tool &&
                (outcome ?? each.outcome) === each.outcome,
            );
            const ours = new Set(made.map(({ id }) => id));
            const found = idsOf(await everything({ ...filter, limit: 7 })).filter((id) => ours.has(id));
            expect([filter, found]).toEqual([filter, expected.map(({ id }) => id)]);
          }
  });

  it("bounds the time", async () => {
    const organizationId = await stand.organization();
    const serverId = await stand.server(organizationId);
    const grantId = "gra_of_another";
    const day = Date.UTC(2021, 4, 1);
    const data = {
      request_id: "r",
      grant_id: grantId,
      server_id: serverId,
      method: "tools/call",
      tool: "t",
      rule: "",
    };
    for (const n of [0, 1, 2])
      await fill(["gateway.allow", grantId], day + n * 86_400_000, 5, data, organizationId);
    const of = async (more: object) => {
      const mine = idsOf(await everything({ grant_id: grantId, ...more }, { organizationId }));
      expect(
        idsOf(await everything({ server_id: serverId, tool: "t", ...more }, { organizationId })),
      ).toEqual(mine);
      return mine.map((id) => (msOf(id) - day) / 86_400_000);
    };
    expect(await of({ from: "2021-05-02", to: "2021-05-02T12:00:00Z" })).toEqual([1, 1, 1, 1, 1]);
    expect(await of({ from: "2021-05-02T00:00:00.001Z" })).toEqual([2, 2, 2, 2, 2]);
    expect(await of({ to: "2021-05-01T00:00:00Z" })).toEqual([0, 0, 0, 0, 0]);
    expect(await of({ from: "2021-05-01", to: "2021-05-03", limit: 4 })).toHaveLength(15);
    expect(await of({ from: "2022-01-01" })).toEqual([]);
    expect(await of({ to: "2020-01-01" })).toEqual([]);
  });

  it("has what is a server's that is gone, and nothing of another organisation's", async () => {
    const serverId = await stand.server();
    const grantId = await stand.grant(serverId);
    const id = await stand.record({ grantId, serverId });
    const stranger = { organizationId: await stand.organization() };
    for (const filter of [{}, { server_id: serverId }, { grant_id: grantId }, { before: id }]) {
      const answer = await stand.caller.call<{ decisions: object[] }>(
        "gateway.list_decisions",
        filter,
        stranger,
      );
      expect(answer).toEqual({ decisions: [], next_before: null });
    }
    await stand.platform.database.query("delete from ambit.gateway_servers where id = $1", [serverId]);
    const { decisions } = await stand.list({ server_id: serverId });
    expect(decisions).toMatchObject([{ decision_id: id, server_id: serverId, grant_id: grantId }]);
  });

  it("looks at a bounded part for one answer, and goes on from there", async () => {
    const serverId = await stand.server();
    const needle = await stand.record({ grantId: "gra_gone", serverId, tool: "needle" });
    await fill(["test.noise", null], stand.now() + 60_000, 2 * limits.scannedEntries);
    const started = performance.now();
    const page = await stand.list({ tool: "needle" });
    expect(page.decisions).toEqual([]);
    expect(page.next_before).not.toBeNull();
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(idsOf(await everything({ tool: "needle" }))).toEqual([needle]);
    // By a grant the noise is not even looked at.
    expect(await stand.list({ grant_id: "gra_gone" })).toMatchObject({
      decisions: [{ decision_id: needle }],
      next_before: null,
    });
  });
});

/** The time in an entry's id. */
function msOf(id: string): number {
  let ms = 0;
  for (const digit of id.slice(4, 14)) ms = ms * 32 + "0123456789abcdefghjkmnpqrstvwxyz".indexOf(digit);
  return ms;
}
