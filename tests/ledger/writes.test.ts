import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { must, newApp } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type AdminChange, appChanges, organizationChanges } from "./admin-changes.ts";
import { gatewayChanges } from "./gateway-changes.ts";
import { type Actor, invite, type People } from "./people.ts";
import { newSecrets } from "./secrets.ts";
import { connectAs, exportOf, propose, proposed } from "./stand.ts";

const secrets = newSecrets();
let server: Server;
let hooks: HttpServer;
let superuser: pg.Client;
let people: People;
let appId: string;
beforeAll(async () => {
  hooks = createServer((request, response) => request.resume().on("end", () => response.end())).listen(
    0,
    "127.0.0.1",
  );
  const port = await new Promise<number>((resolve) =>
    hooks.once("listening", () => resolve((hooks.address() as AddressInfo).port)),
  );
  server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: `127.0.0.1:${port}` });
  superuser = await connectAs(server.dataDir, "postgres");
  people = await invite(server);
  appId = await newApp(people.agent.api);
  webhookUrl = `http://127.0.0.1:${port}`;
}, 60_000);
afterAll(async () => {
  await superuser?.end();
  await discard(server);
  hooks.close();
});
let webhookUrl: string;

/** An entry as the API tells it. */
type Entry = any;
/** The id of the newest entry that was looked at. */
let seen = "";
/** The entries that came since, the oldest first. What the outbox does in its own time is left out. */
async function news(): Promise<Entry[]> {
  const { entries } = must(await people.owner.api("GET", "/v1/ledger/entries?limit=200"));
  const fresh = entries.map(({ entry }: any) => entry).filter(({ id }: Entry) => id > seen);
  seen = entries[0]?.entry.id ?? seen;
  return fresh.filter(({ kind }: Entry) => !kind.startsWith("outbox.")).reverse();
}

describe("changes by admins", () => {
  const check = async (change: AdminChange, app: string | null) => {
    const { name, by, resourceType, code, run } = change;
    const answer = await run();
    expect([name, answer.status < 300, answer.body?.error?.code ?? null]).toEqual([
      name,
      code === null,
      code,
    ]);
    const { type, id } = by.actor;
    const { organization } = people;
    expect(await news()).toMatchObject([
      ...(change.with === undefined
        ? []
        : [{ kind: change.with, org: organization.id, actor: { type, id } }]),
      {
        ...{ kind: `audit.${name}`, org: people.organization.id, app },
        actor: { type, id },
        subject: expect.stringMatching(/^[0-9a-f-]{36}$/),
        data: { resource_type: resourceType, success: code === null, code },
      },
    ]);
  };

  it("of keys, members and settings leave one entry each, refused ones too, and say who tried", async () => {
    await news();
    for (const change of organizationChanges(people, secrets, webhookUrl)) await check(change, null);
  });

  it("of the gateway: servers, policies and grants do so, too", async () => {
    await news();
    for (const change of gatewayChanges(people, secrets, webhookUrl)) await check(change, null);
  });

  it("of an app do so with the app's id", async () => {
    for (const change of appChanges(people, appId, secrets)) await check(change, appId);
  });

  it("by whoever holds no key leave none", async () => {
    const nobody = await fetch(`${server.apiUrl}/api-keys`, { method: "POST" });
    expect(nobody.status).toBe(401);
    expect(await news()).toEqual([]);
  });
});

/** What an action's entry says. */
const action = (
  what: string,
  id: string,
  capability: string,
  { actor }: Pick<Actor, "actor"> | typeof SYSTEM,
  more: object = {},
) => ({
  ...{ kind: `substrate.action.${what}`, subject: id, actor, org: people.organization.id },
  data: expect.objectContaining({ capability, ...more }),
});
const approval = (what: string, id: string, about: string, actor: object, more: object = {}) => ({
  ...{ kind: `approval.${what}`, subject: id, actor, org: people.organization.id },
  data: expect.objectContaining({ about, ...more }),
});
const SYSTEM = { actor: { type: "system", id: null } };
const draft = () => ({
  to: `${secrets.plant("to")}@example.com`,
  subject: secrets.plant("line"),
  body: secrets.plant("body"),
});
const learning = () => ({ title: secrets.plant("title"), description: secrets.plant("description") });
const decide = ({ api }: Actor, id: string, verb: "approve" | "reject", body: object = {}) =>
  api("POST", `/v1/approvals/${id}/${verb}`, body);

describe("actions on the substrate", () => {
  it("that run at once leave one entry, with who proposed them", async () => {
    await news();
    for (const by of [people.owner, people.agent]) {
      const done = await proposed(by.api, "record_learning", learning());
      expect(await news()).toEqual([
        expect.objectContaining(
          action("executed", done.action_id, "record_learning", by, {
            verdict: "auto_approved",
            approval: null,
          }),
        ),
      ]);
      const undone = await proposed(by.api, "revert_action", { action_id: done.action_id });
      expect(await news()).toMatchObject([action("executed", undone.action_id, "revert_action", by)]);
    }
    const key = { idempotency_key: "once" };
    const payload = learning();
    await proposed(people.agent.api, "record_learning", payload, key);
    expect(await news()).toHaveLength(1);
    // What comes again, what can't be read, and what is refused to who asks, changes nothing and leaves nothing.
    expect((await proposed(people.agent.api, "record_learning", payload, key)).replay).toBe(true);
    expect((await propose(people.agent.api, "record_learning", learning(), key)).status).toBe(409);
    expect((await propose(people.agent.api, "record_learning", {})).status).toBe(400);
    expect((await propose(people.viewer.api, "record_learning", learning())).status).toBe(403);
    expect(await news()).toEqual([]);
  });

  it("that don't come to be leave nothing, however late that turns out", async () => {
    await superuser.query(`create function public.refuse() returns trigger language plpgsql as
        $$ begin raise exception 'not after all'; end $$;
      create constraint trigger refuse after insert on ambit.substrate_actions deferrable initially deferred
        for each row when (new.payload ->> 'title' = 'not after all') execute function public.refuse()`);
    await news();
    const payload = { title: "not after all", description: "x" };
    expect((await propose(people.agent.api, "record_learning", payload)).status).toBeGreaterThanOrEqual(500);
    await superuser.query("drop function public.refuse cascade");
    expect(await news()).toEqual([]);
    const { rows } = await superuser.query(
      "select 1 from ambit.substrate_actions where payload ->> 'title' = 'not after all'",
    );
    expect(rows).toEqual([]);
  });

  it("that wait leave who asked, who decided, and what came of it", async () => {
    const { agent, decider, owner } = people;
    const ask = async () => {
      const asked = await proposed(agent.api, "send_email_draft", draft());
      const { action_id: id, approval_id: about } = asked;
      expect(await news()).toMatchObject([
        approval("requested", about, id, agent.actor, { approvers: 1 }),
        action("proposed", id, "send_email_draft", agent, { verdict: "requires_approval", approval: about }),
      ]);
      return { id, about };
    };
    const yes = await ask();
    must(await decide(decider, yes.about, "approve"));
    const approved = await news();
    expect(approved.map(({ kind }) => kind).sort()).toEqual([
      ...["approval.approved", "approval.executed", "substrate.action.executed"],
    ]);
    expect(approved).toMatchObject(
      approved.map(({ kind }) =>
        kind === "substrate.action.executed"
          ? action("executed", yes.id, "send_email_draft", decider, { approval: yes.about })
          : approval(kind.split(".")[1], yes.about, yes.id, decider.actor),
      ),
    );
    const no = await ask();
    must(await decide(decider, no.about, "reject", { reason: secrets.plant("why") }));
    expect((await news()).toSorted((one, other) => (one.kind < other.kind ? -1 : 1))).toMatchObject([
      approval("rejected", no.about, no.id, decider.actor),
      action("rejected", no.id, "send_email_draft", decider),
    ]);
    // Nobody decides on what was asked for on the own account, and no agent decides at all.
    const mine = await ask();
    expect((await decide(owner, mine.about, "approve")).status).toBe(403);
    expect((await decide(agent, mine.about, "approve")).status).toBe(403);
    expect(await news()).toEqual([]);
    await superuser.query("update ambit.approvals set expires_at = now() where id = $1", [mine.about]);
    const expired: Entry[] = [];
    await vi.waitFor(async () => {
      expired.push(...(await news()));
      expect(expired).toHaveLength(2);
    }, 10_000);
    expect(expired.toSorted((one, other) => (one.kind < other.kind ? -1 : 1))).toMatchObject([
      approval("expired", mine.about, mine.id, SYSTEM.actor),
      action("rejected", mine.id, "send_email_draft", SYSTEM, { expired: true }),
    ]);
  });

  it("that are approved and can't be done leave that, and those an owner forbids leave the refusal", async () => {
    const { agent, decider, owner } = people;
    const { result } = await proposed(agent.api, "upsert_entity", {
      ...{ type: "person", display_name: secrets.plant("twice") },
    });
    const remove = { id: result.entity_id, reason: secrets.plant("reason") };
    const [one, other] = [
      await proposed(agent.api, "delete_entity", remove),
      await proposed(agent.api, "delete_entity", remove),
    ];
    must(await decide(decider, one.approval_id, "approve"));
    await news();
    must(await decide(decider, other.approval_id, "approve"));
    const failed = await news();
    expect(failed.map(({ kind }) => kind).sort()).toEqual([
      ...["approval.approved", "approval.failed", "substrate.action.failed"],
    ]);
    expect(failed.find(({ kind }) => kind === "substrate.action.failed")).toMatchObject(
      action("failed", other.action_id, "delete_entity", decider, { code: "RESOURCE_NOT_FOUND" }),
    );
    must(await owner.api("PUT", "/v1/me/substrate/capabilities/place_call/policy", { mode: "forbidden" }));
    await news();
    const call = { to: secrets.plant("phone"), purpose: secrets.plant("purpose") };
    const forbidden = await proposed(agent.api, "place_call", call);
    expect(forbidden.verdict.result).toBe("rejected");
    expect(await news()).toMatchObject([
      action("rejected", forbidden.action_id, "place_call", agent, { verdict: "rejected" }),
    ]);
  });

  it("that several people must approve leave each of them", async () => {
    const { owner, agent, decider } = people;
    const path = "/v1/me/substrate/capabilities/send_email_draft/policy";
    must(await owner.api("PUT", path, { mode: "approval", approvers: 2 }));
    const { action_id: id, approval_id: about } = await proposed(agent.api, "send_email_draft", draft());
    await news();
    must(await decide(decider, about, "approve"));
    expect(await news()).toMatchObject([
      approval("approved", about, id, decider.actor, { given: 1, needed: 2 }),
    ]);
    must(await decide(owner, about, "reject", { reason: "after all" }));
    must(await owner.api("DELETE", path));
  });

  it("tell the outbox's deliveries as well", async () => {
    await vi.waitFor(async () => {
      const { entries } = must(await people.owner.api("GET", "/v1/ledger/entries?kind=outbox.delivered"));
      expect(entries[0]?.entry).toMatchObject({
        ...SYSTEM,
        data: { capability: "record_learning", status: 200 },
      });
    }, 10_000);
  });
});

describe("what people wrote", () => {
  it("is sealed with a salt of its own each time, so that nobody can compare what they can't read", async () => {
    const payload = { title: "the same", description: "twice" };
    for (const by of [people.owner, people.agent]) await proposed(by.api, "record_learning", payload);
    const { entries } = must(await people.owner.api("GET", "/v1/ledger/entries?limit=200"));
    const commitments = entries.flatMap(({ entry }: Entry) => Object.values(entry.sealed));
    const salts = entries.flatMap(({ openings = {} }: any) =>
      Object.values(openings).map(({ salt }: any) => salt),
    );
    expect(commitments.length).toBeGreaterThan(100);
    expect(new Set(commitments).size).toBe(commitments.length);
    expect(new Set(salts).size).toBe(salts.length);
    for (const salt of salts) expect(Buffer.from(salt, "base64")).toHaveLength(32);
  });

  it("stands in no entry's text, and what is secret in no opening either", async () => {
    const lines = (await exportOf(server, people.organization))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const texts = lines.map(({ entry = "" }) => entry.toLowerCase()).join("\n");
    expect(secrets.all.length).toBeGreaterThan(50);
    expect(secrets.all.filter((secret) => texts.includes(secret.toLowerCase()))).toEqual([]);
    const openings = JSON.stringify(lines.map(({ openings }) => openings ?? null));
    const sealed = secrets.all.filter((secret) => openings.includes(secret));
    // Payloads and reasons can be opened; what opens doors is not even sealed.
    for (const name of ["title", "why", "member", "notified", "sql"])
      expect([name, sealed.some((secret) => secret.startsWith(`zq${name}`))]).toEqual([name, true]);
    const doors = /^bb_|^amb_gr_|^zq(env|refusedenv|signing|oauth|gatewayheader)/;
    expect(secrets.all.filter((secret) => doors.test(secret)).length).toBeGreaterThan(5);
    expect(sealed.filter((secret) => doors.test(secret))).toEqual([]);
    expect(secrets.all.filter((secret) => server.output().includes(secret))).toEqual([]);
  });
});
