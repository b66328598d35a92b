import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { streamErrors } from "../../features/substrate-stream/errors.ts";
import { streamOperations } from "../../features/substrate-stream/operations.ts";
import type { TestClient } from "./testing/client.ts";
import { changesOf, changesOnceThere, SubstrateStage } from "./testing/substrate-stage.ts";

let stage: SubstrateStage;
let key: { key: string; id: string; accountId: string };
beforeAll(async () => {
  stage = await SubstrateStage.start();
  key = await stage.key();
});
afterAll(() => stage?.stop());

const query = (text: string, values: readonly unknown[] = []) =>
  stage.world.platform.database.query<Record<string, string>>(text, values);
const ticketOf = async (keyId = key.id, node = stage.node) =>
  (await node.stream.mintTicket({ kind: "key", keyId }, stage.world.organizationId)).ticket;
const short = (client: TestClient) => changesOf(client).map(({ op, tbl, id }) => [op, tbl, id]);

describe("the stream", () => {
  it("greets, then tells every committed change in order and without what is in it", async () => {
    const client = await stage.listen(`token=${key.key}`);
    const org = stage.world.organizationId;
    const kinds = ["entity", "decision", "commitment", "learning", "source_artifact", "link"];
    const ids: string[] = [];
    for (const kind of kinds) ids.push(await stage.record({ kind }));
    const entity = ids[0]!;
    await query("update ambit.memory_records set title = 'y' where id = $1", [entity]);
    await stage.world.platform.database.transaction(async (tx) => {
      await stage.actions(1, tx);
      await tx.query("delete from ambit.memory_records where id = $1", [entity]);
    });
    await query("update ambit.substrate_actions set status = 'executed' where id = 'act_1'");
    await changesOnceThere(client, 10);
    const tables = ["entities", "decisions", "commitments", "learnings", "source_artifacts", "links"];
    expect(short(client)).toEqual([
      ...tables.map((tbl, at) => ["insert", tbl, ids[at]]),
      ["update", "entities", entity],
      ["insert", "action_ledger", "act_1"],
      ["delete", "entities", entity],
      ["update", "action_ledger", "act_1"],
    ]);
    const [hello, first, ...rest] = client.frames;
    expect(Object.keys(hello!)).toEqual(["type", "ts", "cursor"]);
    expect(Date.parse(hello!.ts)).toBeGreaterThan(Date.now() - 60_000);
    expect(first).toEqual({ org, op: "insert", tbl: "entities", id: entity, cursor: expect.any(String) });
    expect(new Set([hello, first, ...rest].map((frame) => frame!.cursor)).size).toBe(11);
    client.close();
  });

  it("tells of rules, firings and approvals, also when they are deleted", async () => {
    const client = await stage.listen(`token=${key.key}`);
    const org = stage.world.organizationId;
    await query(
      `insert into ambit.attention_rules (organization_id, id, name, trigger_cron, condition_mode, condition,
         action_capability, action_payload_template, enabled, created_by, updated_by, created_at, updated_at)
       values ($1, 'rule_1', 'r', '* * * * *', 'row_query', '{}', 'x', '{}', true, $1, $1, now(), now())`,
      [org],
    );
    await query(
      `insert into ambit.attention_rule_firings (organization_id, id, rule_id, status, binding_count, missed,
         scheduled_at, fired_at)
       values ($1, 'fire_1', 'rule_1', 'fired', 0, 0, now(), now())`,
      [org],
    );
    await query(
      `insert into ambit.approvals (id, organization_id, kind, subject, title, reason, requester, request, approvers,
         created_at, expires_at)
       values ('apr_1', $1, 'substrate_action', 'act_1', 't', 'r', '{}', '{}', 1, now(), now())`,
      [org],
    );
    await query("update ambit.approvals set status = 'approved', decided_at = now() where id = 'apr_1'");
    await query("delete from ambit.attention_rules where id = 'rule_1'");
    await changesOnceThere(client, 6);
    expect(short(client)).toEqual([
      ["insert", "attention_rules", "rule_1"],
      ["insert", "attention_rule_firings", "fire_1"],
      ["insert", "approvals", "apr_1"],
      ["update", "approvals", "apr_1"],
      ["delete", "attention_rules", "rule_1"],
      ["delete", "attention_rule_firings", "fire_1"],
    ]);
    client.close();
  });

  it("tells nothing that was rolled back, and nothing of another organisation", async () => {
    const other = await stage.organization();
    const theirs = await stage.key({ organizationId: other });
    const [ours, foreign] = [
      await stage.listen(`token=${key.key}`),
      await stage.listen(`token=${theirs.key}`),
    ];
    await stage.world.platform.database
      .transaction(async (tx) => {
        await tx.query("update ambit.memory_records set title = 'never'");
        throw new Error("back");
      })
      .catch(() => {});
    const [theirId, ourId] = [await stage.record({ organizationId: other }), await stage.record()];
    await Promise.all([changesOnceThere(foreign, 1), changesOnceThere(ours, 1)]);
    await sleep(50);
    expect([short(ours), short(foreign)]).toEqual([
      [["insert", "entities", ourId]],
      [["insert", "entities", theirId]],
    ]);
    expect(changesOf(foreign)[0]!.org).toBe(other);
    for (const client of [ours, foreign]) client.close();
  });

  it("pings, takes no talk, and goes with the server", async () => {
    const node = await stage.startNode();
    const client = await stage.listen(`token=${key.key}`, node);
    const loud = await stage.listen(`token=${key.key}`, node);
    for (let n = 0; n < 30; n++) loud.send("hm");
    expect((await loud.closed).code).toBe(1008);
    const long = await stage.listen(`token=${key.key}`, node);
    long.send("x".repeat(5_000));
    expect((await long.closed).code).toBe(1009);
    client.send("ignored");
    const stopped = node.stop();
    expect(await client.closed).toEqual({ code: 1001, reason: "Server shutting down" });
    await stopped;
  });
});

describe("who may listen", () => {
  const closedWith = async (text: string, headers?: Record<string, string>) => {
    const { code, reason } = await stage.open(text, stage.node, headers).closed;
    return [code, reason];
  };

  it("a key, in the query or the header, or a ticket", async () => {
    for (const [text, headers] of [
      [`token=${key.key}`, undefined],
      ["", { authorization: `Bearer ${key.key}` }],
      [`ticket=${await ticketOf()}`, undefined],
      [`ticket=${await ticketOf()}&token=bad`, { authorization: "Bearer bad" }],
    ] as const) {
      const client = stage.open(text, stage.node, headers);
      await client.ofType("hello");
      client.close();
    }
  });

  it("nobody else, and is told why", async () => {
    const plain = await stage.key({ scope: "app" });
    expect(await closedWith("")).toEqual([1008, expect.stringContaining("?ticket=")]);
    expect(await closedWith("token=bb_sk_bad")).toEqual([1008, expect.stringContaining("unknown, revoked")]);
    expect(await closedWith("token=a.b.c")).toEqual([1008, expect.any(String)]);
    expect(await closedWith(`token=${plain.key}`)).toEqual([1008, expect.stringMatching(/not scoped/)]);
    expect(await closedWith("", { authorization: "Basic x" })).toEqual([1008, expect.any(String)]);
  });

  it("not by a ticket that is unknown, was used or has run out", async () => {
    const why = [1008, "The ticket is unknown, was used, or has run out"];
    const ticket = await ticketOf();
    expect(ticket).toMatch(/^wst_[0-9a-f]{40}$/);
    (await stage.listen(`ticket=${ticket}`)).close();
    expect(await closedWith(`ticket=${ticket}`)).toEqual(why);
    expect(await closedWith("ticket=wst_x")).toEqual(why);
    expect(await closedWith(`ticket=wst_${"0".repeat(40)}`)).toEqual(why);
    const late = await ticketOf();
    const [row] = await query(
      `update ambit.substrate_tickets set expires_at = now() - interval '1 ms'
       where expires_at between now() + interval '50 s' and now() + interval '60 s' returning hash`,
    );
    expect(row!.hash).not.toContain(late);
    expect(await closedWith(`ticket=${late}`)).toEqual(why);
    expect(await query("select 1 from ambit.substrate_tickets")).toEqual([]);
  });

  it("one of many who use a ticket at once, on whichever node", async () => {
    const second = await stage.startNode();
    const ticket = await ticketOf();
    const clients = Array.from({ length: 32 }, (_, n) =>
      stage.open(`ticket=${ticket}`, n % 2 === 0 ? stage.node : second),
    );
    const ends = await Promise.all(
      clients.map((client) =>
        Promise.race([client.ofType("hello").then(() => "hello"), client.closed.then(({ code }) => code)]),
      ),
    );
    expect(ends.filter((end) => end === "hello")).toHaveLength(1);
    expect(ends.filter((end) => end === 1008)).toHaveLength(31);
    await second.stop();
  });

  it("no longer than the key lives and the member belongs, also when a ticket opened it, on every node", async () => {
    const second = await stage.startNode();
    const [revoked, left] = [await stage.key(), await stage.key()];
    const clients = await Promise.all([
      stage.listen(`token=${revoked.key}`),
      stage.listen(`token=${revoked.key}`, second),
      stage.listen(`ticket=${await ticketOf(revoked.id)}`, second),
    ]);
    const steady = await stage.listen(`token=${key.key}`, second);
    const member = await stage.listen(`token=${left.key}`, second);
    const unused = await ticketOf(revoked.id);
    const startedAt = performance.now();
    await stage.node.keys.revoke(revoked.id);
    for (const client of clients) expect((await client.closed).code).toBe(1008);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect((await closedWith(`ticket=${unused}`))[0]).toBe(1008);
    await query("delete from ambit.members where account_id = $1", [left.accountId]);
    expect((await member.closed).code).toBe(1008);
    expect(steady.ws.readyState).toBe(steady.ws.OPEN);
    await second.stop();
  });

  it("a hundred times per key on a node", async () => {
    const many = await stage.key();
    const clients = await Promise.all(Array.from({ length: 100 }, () => stage.listen(`token=${many.key}`)));
    expect(await closedWith(`token=${many.key}`)).toEqual([1013, expect.stringContaining("per_holder")]);
    clients[0]!.close();
    await clients[0]!.closed;
    await sleep(20);
    clients.push(await stage.listen(`token=${many.key}`));
    for (const client of clients) client.ws.terminate();
  });
});

describe("tickets", () => {
  it("are given to keys of the substrate, a thousand at a time", async () => {
    const [operation] = streamOperations(stage.node.stream);
    expect([operation!.right, operation!.surface]).toEqual(["view", "substrate"]);
    const organizationId = await stage.organization();
    const other = await stage.key({ organizationId });
    const principal = { kind: "key", keyId: other.id, organizationId };
    const mint = () => operation!.run({ principal } as never, {} as never);
    const given = await mint();
    expect(given).toEqual({ ticket: expect.stringMatching(/^wst_/), expires_in: 60 });
    (await stage.listen(`ticket=${given.ticket}`)).close();
    await query(
      `insert into ambit.substrate_tickets (hash, organization_id, key_id, expires_at)
       select 'h' || n, $1, $2, now() + interval '1 minute' from generate_series(1, 1000) n`,
      [organizationId, other.id],
    );
    await expect(mint()).rejects.toMatchObject({
      code: streamErrors.QUOTA_STREAM_TICKETS().code,
      status: 429,
    });
    await query("update ambit.substrate_tickets set expires_at = now() - interval '1 s'");
    await expect(mint()).resolves.toMatchObject({ expires_in: 60 });
  });
});

describe("a linked app", () => {
  it("hears of what its link lets it see, also of what comes into it and what leaves", async () => {
    const app = await stage.world.createApp();
    await stage.link(app.id, { kinds: ["entity"], entity_types: ["person"] });
    const bound = await stage.key({ scopes: [`app:${app.id}`] });
    const byKey = await stage.listen(`token=${bound.key}`);
    const { ticket } = await stage.node.stream.mintTicket(
      { kind: "app", appId: app.id },
      stage.world.organizationId,
    );
    const byCode = await stage.listen(`ticket=${ticket}`);
    const person = await stage.record();
    const company = await stage.record({ subtype: "company" });
    await stage.record({ kind: "decision", app: app.id });
    const retype = (id: string, to: string) =>
      query("update ambit.memory_records set subtype = $2 where id = $1", [id, to]);
    await retype(company, "person");
    await retype(person, "company");
    await query("update ambit.memory_records set title = 'z' where id = any($1)", [[person, company]]);
    await query("delete from ambit.memory_records where id = any($1)", [[person, company]]);
    const last = await stage.record();
    const wanted = [
      ["insert", "entities", person],
      ["insert", "entities", company],
      ["delete", "entities", person],
      ["update", "entities", company],
      ["delete", "entities", company],
      ["insert", "entities", last],
    ];
    for (const client of [byKey, byCode]) {
      await changesOnceThere(client, 6);
      expect(short(client)).toEqual(wanted);
    }
    await stage.link(app.id, { own_only: true });
    for (const client of [byKey, byCode])
      expect(await client.ofType("resync")).toMatchObject({ reason: "scope_changed" });
    await stage.record();
    const own = await stage.record({ kind: "learning", app: app.id });
    for (const client of [byKey, byCode]) {
      await changesOnceThere(client, 7);
      expect(short(client).slice(6)).toEqual([["insert", "learnings", own]]);
    }
    const back = await stage.listen(`token=${bound.key}&cursor=${changesOf(byKey)[0]!.cursor}`);
    expect(await back.ofType("resync")).toMatchObject({ reason: "scope_changed" });
    await stage.node.links.unlink(app.id);
    for (const client of [byKey, byCode, back])
      expect(await client.closed).toMatchObject({ code: 1008, reason: expect.stringContaining("linked") });
  });

  it("hears of a link together with both records it joins, and reads again when one comes or goes", async () => {
    const app = await stage.world.createApp();
    await stage.link(app.id, { entity_types: ["person"] });
    const client = await stage.listen(`token=${(await stage.key({ scopes: [`app:${app.id}`] })).key}`);
    const [ann, bob] = [await stage.record(), await stage.record()];
    const company = await stage.record({ subtype: "company" });
    const link = (from_id: string, to_id: string) =>
      stage.record({ kind: "link", subtype: "knows", data: { from_id, to_id } });
    await link(ann, company);
    const friends = await link(ann, bob);
    await query("update ambit.memory_records set title = 'z' where id = $1", [friends]);
    await query("delete from ambit.memory_records where id = $1", [friends]);
    await query("update ambit.memory_records set subtype = 'person' where id = $1", [company]);
    await changesOnceThere(client, 6);
    expect(
      client.frames.slice(1).map(({ type, op, tbl, id, reason }) => [type ?? op, tbl ?? reason, id]),
    ).toEqual([
      ["insert", "entities", ann],
      ["insert", "entities", bob],
      ["insert", "links", friends],
      ["update", "links", friends],
      ["delete", "links", friends],
      ["resync", "links_changed", undefined],
      ["insert", "entities", company],
    ]);
    client.close();
  });
});
