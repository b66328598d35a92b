import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { type Answer, type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { type Nodes, startNodes } from "../support/functions.ts";
import {
  allPages,
  type Caller,
  execute,
  newStaffed,
  openStream,
  propose,
  type Staffed,
  type Stream,
  SUBSTRATE,
  type TellEntry,
  verifiedLedger,
} from "../support/substrate.ts";

let nodes: Nodes;
let staff: Staffed;
let streams: Stream[];
const reader = { authorization: "" };

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"), 2);
  staff = await newStaffed(() => nodes.server.apiUrl, nodes.owner, "Races");
  reader.authorization = `Bearer ${staff.owner.key}`;
  streams = await Promise.all(urls().map((url) => openStream(url, "", reader)));
});
afterAll(async () => {
  for (const stream of streams ?? []) await stream.close();
  await nodes?.close();
});

const urls = (): string[] => [nodes.server, ...nodes.others].map(({ apiUrl }) => apiUrl);
/** A caller at one node or the other. */
const at = (turn: number, { key }: Caller): Api => apiAs(urls()[turn % 2]!, key);
const times = <T>(count: number, make: (turn: number) => T): T[] =>
  Array.from({ length: count }, (_, turn) => make(turn));
const codeOf = ({ status, body }: Answer): string => body?.error?.code ?? String(status);
const tally = (texts: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(texts, (text) => text)].map(([text, all]) => [text, all.length]));
const getAction = async (id: string) => must(await staff.owner.api("GET", `${SUBSTRATE}/actions/${id}`));

/** Several callers' proposals at once, at both nodes in turn. */
const proposeAtOnce = (
  count: number,
  capability: string,
  payload: (turn: number) => object,
  more: object = {},
) => {
  const callers = [staff.owner, staff.agents[0]!, staff.admin, staff.agents[2]!, staff.appKey];
  return Promise.all(
    times(count, (turn) =>
      propose(at(turn, callers[turn % callers.length]!), capability, payload(turn), more),
    ),
  );
};

describe("what many say at once of one entity", () => {
  it.each([
    ["by a key", () => ({ canonical_keys: { crm: "4711" } })],
    [
      "by an e-mail in any case",
      (turn: number) => ({ primary_email: turn % 2 ? "ada@x.org" : "ADA@X.org " }),
    ],
    [
      "by either",
      (turn: number) => ({ canonical_keys: { a: "1" }, ...(turn % 3 ? { primary_email: "b@x.org" } : {}) }),
    ],
  ])("is one entity: %s", async (name, keys) => {
    const answers = await proposeAtOnce(32, "upsert_entity", (turn) => ({
      ...{ type: "company", display_name: `${name} ${turn}` },
      ...keys(turn),
    }));
    const results = answers.map((answer) => must(answer).result);
    expect(new Set(results.map(({ entity_id }) => entity_id)).size).toBe(1);
    expect(results.filter(({ was_insert }) => was_insert)).toHaveLength(1);
    const id = results[0].entity_id;
    const entities = must(
      await staff.owner.api("GET", `${SUBSTRATE}/entities?type=company&limit=1000`),
    ).entities;
    expect(
      entities.filter((each: any) => each.display_name.startsWith(name)).map((each: any) => each.id),
    ).toEqual([id]);
    const { versions } = must(await staff.owner.api("GET", `${SUBSTRATE}/memory/${id}/history?limit=200`));
    expect(versions.map(({ version }: any) => version)).toEqual(times(32, (turn) => 32 - turn));
    expect(new Set(versions.map(({ action_id }: any) => action_id)).size).toBe(32);
  });
});

describe("one idempotency key", () => {
  it("sent 32 times at once makes one action; everybody else is answered with it", async () => {
    const payload = { title: "Once", description: "and not again" };
    const answers = await proposeAtOnce(32, "record_learning", () => payload, { idempotency_key: "once" });
    const bodies = answers.map(must);
    expect(new Set(bodies.map(({ action_id }) => action_id)).size).toBe(1);
    expect(bodies.filter(({ replay }) => replay === undefined)).toHaveLength(1);
    expect(bodies.filter(({ replay }) => replay === true)).toHaveLength(31);
    const told = bodies.map(({ action_id, result, requires_approval }) => ({
      action_id,
      result,
      requires_approval,
    }));
    expect(told).toEqual(times(32, () => told[0]));
    const { results } = must(
      await staff.owner.api("GET", `${SUBSTRATE}/memory/list?kinds=learnings&limit=100`),
    );
    expect(results.filter(({ title }: any) => title === "Once")).toHaveLength(1);
  });

  it("is of whoever came first when two things are proposed under it at once", async () => {
    for (const round of times(4, (turn) => turn)) {
      const answers = await proposeAtOnce(
        16,
        "record_decision",
        (turn) => ({ title: `Version ${turn % 2}`, kind: "operational" }),
        { idempotency_key: `contested-${round}` },
      );
      const won = answers
        .map((answer, turn) => (answer.status === 200 ? turn % 2 : -1))
        .filter((of) => of >= 0);
      expect(new Set(won).size).toBe(1);
      expect(tally(answers.map(codeOf))).toEqual({ "200": 8, IDEMPOTENCY_CONFLICT: 8 });
      const ids = answers.filter(({ status }) => status === 200).map(({ body }) => body.action_id);
      expect(new Set(ids).size).toBe(1);
    }
  });
});

/** An action that waits for people. */
async function waiting(capability = "record_principle"): Promise<string> {
  const payload = { title: "Calls", applies_to: { capability: "place_call" }, constraint_spec: CALLS };
  const answer = must(await propose(staff.agents[2]!.api, capability, payload));
  expect(answer.requires_approval).toBe(true);
  return answer.action_id;
}
const CALLS = { type: "max_per_day", params: { n: 1_000 } };
const decide = (api: Api, id: string, decision: "approve" | "reject") =>
  api("POST", `${SUBSTRATE}/actions/${id}/${decision}`, {});

/** What the ledger has about an action and its approval. */
const entriesAbout = async (id: string): Promise<string[]> => {
  const { approval_id } = await getAction(id);
  const of = async (subject: string): Promise<TellEntry[]> =>
    must(await staff.owner.api("GET", `/v1/ledger/entries?subject=${subject}&limit=50`)).entries;
  const entries = [...(await of(id)), ...(await of(approval_id))];
  return entries.map(({ entry }: any) => entry.kind).sort();
};

const APPROVED = [
  ...["approval.approved", "approval.executed", "approval.requested"],
  ...["substrate.action.executed", "substrate.action.proposed"],
];

describe("people who decide at once", () => {
  it("one approves, the other is told; it is executed once", async () => {
    for (const round of times(10, (turn) => turn)) {
      const id = await waiting();
      const answers = await Promise.all([
        ...[staff.admin, staff.manager].map((caller, turn) =>
          decide(at(turn + round, caller), id, "approve"),
        ),
        decide(at(round + 1, staff.owner), id, "approve"),
      ]);
      expect(answers.map(codeOf).sort()).toEqual(["200", "wrong_status", "wrong_status"]);
      const action = await getAction(id);
      expect(action).toMatchObject({ status: "executed", changes_count: 1 });
      expect(action.approval.decisions).toHaveLength(1);
      expect(await entriesAbout(id)).toEqual(APPROVED);
    }
    const { principles } = must(await staff.owner.api("GET", `${SUBSTRATE}/principles?limit=200`));
    expect(principles.filter(({ title }: any) => title === "Calls")).toHaveLength(10);
  });

  it("a yes and a no at once: whichever came first holds, and nothing of the other", async () => {
    for (const round of times(6, (turn) => turn)) {
      const id = await waiting();
      const [yes, no] = await Promise.all([
        decide(at(round, staff.admin), id, "approve"),
        decide(at(round + 1, staff.manager), id, "reject"),
      ]);
      expect([codeOf(yes), codeOf(no)].sort()).toEqual(["200", "wrong_status"]);
      const { status, result } = await getAction(id);
      expect([status, result === null]).toEqual(
        yes.status === 200 ? ["executed", false] : ["rejected", true],
      );
    }
  });

  it("two of three are needed: it is executed with the second, and the third comes too late", async () => {
    const policy = `${SUBSTRATE}/capabilities/retire_principle/policy`;
    must(await staff.owner.api("PUT", policy, { mode: "approval", approvers: 2 }));
    const { principles } = must(await staff.owner.api("GET", `${SUBSTRATE}/principles?limit=6`));
    for (const [round, { id: principle_id }] of principles.entries()) {
      const payload = { principle_id, reason: "enough" };
      const { action_id } = must(await propose(staff.agents[2]!.api, "retire_principle", payload));
      const people = [staff.owner, staff.admin, staff.manager];
      const answers = await Promise.all(
        people.flatMap((caller, turn) => [
          decide(at(turn + round, caller), action_id, "approve"),
          decide(at(turn + round + 1, caller), action_id, "approve"),
        ]),
      );
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(2);
      const refused = answers.filter(({ status }) => status !== 200).map(codeOf);
      expect(refused.every((code) => ["wrong_status", "APPROVAL_TWICE"].includes(code))).toBe(true);
      const action = await getAction(action_id);
      const voters = action.approval.decisions.map(({ account_id }: any) => account_id);
      expect([action.status, voters.length, new Set(voters).size]).toEqual(["executed", 2, 2]);
    }
    must(await staff.owner.api("DELETE", policy));
  });

  it("approving while the time runs out: either it is executed or it expired", async () => {
    const seen: string[] = [];
    for (const round of times(12, (turn) => turn)) {
      const id = await waiting();
      await nodes.database.query(
        "update ambit.approvals set expires_at = now() + interval '60 milliseconds' where subject = $1",
        [id],
      );
      await sleep(40 + round * 4);
      const answer = await decide(at(round, staff.admin), id, "approve");
      const action = await eventually(async () => {
        const row = await getAction(id);
        return row.status !== "proposed" && row;
      }, "the end of an action whose time is over");
      seen.push(action.status);
      expect(codeOf(answer)).toBe(action.status === "executed" ? "200" : "wrong_status");
      expect(action.approval.status).toBe(action.status === "executed" ? "approved" : "expired");
      const inTime = action.decided_at < action.approval.expires_at;
      expect(inTime, "decided before its time was over").toBe(action.status === "executed");
      const expired = [
        "approval.expired",
        "approval.requested",
        "substrate.action.proposed",
        "substrate.action.rejected",
      ];
      expect(await entriesAbout(id)).toEqual(action.status === "executed" ? APPROVED : expired);
    }
    expect(seen).toContain("rejected");
  });
});

/** Lets the principle hold once another has agreed to it. */
async function principle(applies_to: object, constraint_spec: object): Promise<string> {
  const payload = { title: "Not too much", applies_to, constraint_spec };
  const { action_id } = must(await propose(staff.developer.api, "record_principle", payload));
  return must(await decide(staff.admin.api, action_id, "approve")).result.principle_id;
}

/** Far enough from midnight, so that a day is one day for the whole test. */
async function awayFromMidnight(): Promise<void> {
  const left = 86_400_000 - (Date.now() % 86_400_000);
  if (left < 20_000) await sleep(left + 100);
}

describe("an agent that undoes what is being approved", () => {
  it("never gets through unasked, however often it tries meanwhile", async () => {
    const policy = `${SUBSTRATE}/capabilities/record_learning/policy`;
    must(await staff.owner.api("PUT", policy, { mode: "approval" }));
    for (const round of times(6, (turn) => turn)) {
      const payload = { title: `Agreed ${round}`, description: "by a person" };
      const { action_id } = must(await propose(staff.developer.api, "record_learning", payload));
      const [approved, ...reverts] = await Promise.all([
        decide(at(round, staff.admin), action_id, "approve"),
        ...times(8, async (turn) => {
          await sleep(turn);
          return propose(at(turn, staff.agents[0]!), "revert_action", { action_id });
        }),
      ]);
      expect(must(approved).status).toBe("executed");
      for (const { status, body } of reverts)
        expect(status === 200 ? body.verdict.result : codeOf({ status, body } as Answer)).toBeOneOf([
          ...["wrong_status", "requires_approval"],
        ]);
      expect((await getAction(action_id)).reverted_by).toBe(null);
    }
    must(await staff.owner.api("DELETE", policy));
  });
});

describe("what a principle counts", () => {
  it("at most 5 a day: of 20 at once exactly 5 run, the others wait", async () => {
    await awayFromMidnight();
    await principle(
      { capability: "record_learning", resolution_taken: "counted" },
      { type: "max_per_day", params: { n: 5 } },
    );
    const answers = await proposeAtOnce(20, "record_learning", (turn) => ({
      ...{ title: `Counted ${turn}`, description: "One of many", resolution_taken: "counted" },
    }));
    const verdicts = answers.map((answer) => must(answer).verdict.result);
    expect(tally(verdicts)).toEqual({ auto_approved: 5, requires_approval: 15 });
    const { results } = must(
      await staff.owner.api("GET", `${SUBSTRATE}/memory/list?kinds=learnings&limit=100`),
    );
    expect(results.filter(({ title }: any) => title.startsWith("Counted"))).toHaveLength(5);
  });

  it("at most 100 EUR a day: of 20 times 30 at once exactly 3 run", async () => {
    await awayFromMidnight();
    await principle(
      { capability: "record_commitment", "attrs.purse": "small" },
      { type: "max_amount_per_window", params: { field: "amount", max: 100, unit: "EUR", window: "day" } },
    );
    const answers = await proposeAtOnce(20, "record_commitment", (turn) => ({
      ...{ description: `Paid ${turn}`, status: "confirmed", amount: 30, unit: turn % 2 ? "EUR" : "eur" },
      attrs: { purse: "small" },
    }));
    expect(tally(answers.map((answer) => must(answer).verdict.result))).toEqual({
      ...{ auto_approved: 3, requires_approval: 17 },
    });
  });
});

describe("undoing, referring and merging at once", () => {
  it("one action is undone once, whoever asks", async () => {
    for (const round of times(4, (turn) => turn)) {
      const payload = { title: `Undone ${round}`, description: "a mistake" };
      const { action_id, result } = must(await propose(staff.owner.api, "record_learning", payload));
      const reverts = await Promise.all(
        times(8, (turn) => propose(at(turn, staff.owner), "revert_action", { action_id })),
      );
      expect(tally(reverts.map(codeOf))).toEqual({ "200": 1, wrong_status: 7 });
      const by = reverts.find(({ status }) => status === 200)!.body.action_id;
      expect((await getAction(action_id)).reverted_by).toBe(by);
      const { versions } = must(
        await staff.owner.api("GET", `${SUBSTRATE}/memory/${result.learning_id}/history`),
      );
      expect(versions.map(({ action_id }: any) => action_id)).toEqual([by, action_id]);
    }
  });

  it("nothing is left that names what was undone meanwhile", async () => {
    for (const round of times(8, (turn) => turn)) {
      const person = { type: "person", display_name: `Brief ${round}` };
      const { action_id, result } = must(await propose(staff.owner.api, "upsert_entity", person));
      const owed = { description: `Owed ${round}`, status: "confirmed", to_entity: result.entity_id };
      const [undone, made] = await Promise.all([
        propose(at(round, staff.owner), "revert_action", { action_id }),
        propose(at(round + 1, staff.admin), "record_commitment", owed),
      ]);
      const there =
        (await staff.owner.api("GET", `${SUBSTRATE}/entities/${result.entity_id}`)).status === 200;
      expect([codeOf(undone), codeOf(made), there]).toEqual(
        undone.status === 200
          ? ["200", "VALIDATION_UNKNOWN_REFERENCE", false]
          : ["REVERT_BLOCKED", "200", true],
      );
    }
  });

  it("whatever refers to an entity while it is merged refers to the winner", async () => {
    for (const round of times(4, (turn) => turn)) {
      const person = (name: string) => ({ type: "person", display_name: `${name} ${round}` });
      const { entity_id: winner_id } = await execute(staff.owner.api, "upsert_entity", person("Winner"));
      const { entity_id: loser_id } = await execute(staff.owner.api, "upsert_entity", person("Loser"));
      const merge = { loser_id, winner_id, reason: "the same" };
      const { action_id } = must(await propose(staff.owner.api, "merge_entities", merge));
      const [merged, ...made] = await Promise.all([
        decide(at(round, staff.admin), action_id, "approve"),
        ...times(6, (turn) =>
          propose(at(turn, staff.developer), "record_commitment", {
            ...{ description: `To ${round} ${turn}`, status: "confirmed", to_entity: loser_id },
          }),
        ),
      ]);
      expect(must(merged!).status).toBe("executed");
      expect(made.map(codeOf)).toEqual(times(6, () => "200"));
      for (const { body } of made) {
        const record = must(await staff.owner.api("GET", `${SUBSTRATE}/memory/${body.result.commitment_id}`));
        expect(record.data.to_entity).toBe(winner_id);
      }
      const found = must(await staff.owner.api("GET", `${SUBSTRATE}/entities/${loser_id}`));
      expect([found.id, found.requested_id]).toEqual([winner_id, loser_id]);
    }
  });
});

describe("the live stream of either node", () => {
  it("has told every committed change exactly once", async () => {
    const { learning_id: last } = await execute(staff.owner.api, "record_learning", {
      ...{ title: "The last", description: "change of all" },
    });
    for (const stream of streams)
      await eventually(() => stream.frames.some(({ id }) => id === last), "the last change on the stream");
    const actions = await allPages(staff.owner.api, `${SUBSTRATE}/actions?limit=500`, "actions", {
      ...{ answer: "next_before", query: "before" },
    });
    const touched = new Set(actions.flatMap(({ changes }) => changes.map(({ id }: any) => id)));
    const expected = new Map<string, string[]>();
    for (const id of touched) {
      const { versions } = must(await staff.owner.api("GET", `${SUBSTRATE}/memory/${id}/history?limit=200`));
      const ops = versions.reverse().map(({ version, deleted }: any) => {
        return version === 1 ? "insert" : deleted ? "delete" : "update";
      });
      expected.set(id, ops);
    }
    const known = /^(entities|decisions|commitments|learnings|source_artifacts|links)$/;
    for (const { frames, closed } of streams) {
      expect([closed, frames.filter(({ type }) => type === "resync")]).toEqual([null, []]);
      const told = Map.groupBy(
        frames.filter(({ tbl }) => known.test(tbl ?? "")),
        ({ id }) => id!,
      );
      const opsOf = [...told].map(([id, all]) => [id, all.map(({ op }) => op)] as const);
      expect(Object.fromEntries(opsOf)).toEqual(Object.fromEntries(expected));
      const rows = frames.filter(({ tbl, op }) => tbl === "action_ledger" && op === "insert");
      expect(rows.map(({ id }) => id).sort()).toEqual(actions.map(({ id }) => id).sort());
      const waited = actions
        .filter(({ approval_id }) => approval_id !== null)
        .map(({ approval_id }) => approval_id);
      const asked = frames
        .filter(({ tbl, op }) => tbl === "approvals" && op === "insert")
        .map(({ id }) => id!);
      expect(asked.sort()).toEqual(waited.sort());
      const cursors = frames.map(({ cursor }) => cursor);
      expect(new Set(cursors).size).toBe(cursors.length);
    }
  });
});

describe("the ledger after all that", () => {
  it("verifies, and has what each action did once", async () => {
    const entries = await verifiedLedger(staff.owner.api);
    const actions = await allPages(staff.owner.api, `${SUBSTRATE}/actions?limit=500`, "actions", {
      ...{ answer: "next_before", query: "before" },
    });
    const told = entries.filter(({ kind }) => kind.startsWith("substrate.action."));
    const wanted = actions.flatMap(({ id, status, approval_id }) => {
      const last = `${id} substrate.action.${status}`;
      return approval_id === null || status === "proposed"
        ? [last]
        : [`${id} substrate.action.proposed`, last];
    });
    expect(told.map(({ subject, kind }) => `${subject} ${kind}`).sort()).toEqual(wanted.sort());
  });
});
