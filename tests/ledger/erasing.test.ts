import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { must } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type Actor, invite, type People } from "./people.ts";
import { newSecrets, tablesWith } from "./secrets.ts";
import { connectAs, exportOf, proposed, Witness } from "./stand.ts";

let server: Server;
let superuser: pg.Client;
let people: People;
let directory: string;
let witness: Witness;
beforeAll(async () => {
  server = await startServer({ AMBIT_ALLOW_PRIVATE_FETCH: "127.0.0.1:9" });
  superuser = await connectAs(server.dataDir, "postgres");
  people = await invite(server);
  directory = await mkdtemp(join(tmpdir(), "ambit-witness-"));
  witness = new Witness(directory, must(await people.owner.api("GET", "/v1/ledger/key")).public_key);
}, 60_000);
afterAll(async () => {
  await superuser?.end();
  await discard(server);
  await rm(directory, { recursive: true, force: true });
});

const SUBSTRATE = "/v1/me/substrate";
const checkpoint = async (): Promise<string> =>
  must(await people.owner.api("POST", "/v1/ledger/checkpoints", {})).note;
/** Those of these words that the organisation's export tells, in texts or openings. */
const told = async (words: readonly string[]) => {
  const text = (await exportOf(server, people.organization)).toLowerCase();
  return words.filter((word) => text.includes(word));
};
/** Which of the words are kept where. */
const kept = async (words: readonly string[]): Promise<Record<string, string[]>> => {
  const found: Record<string, string[]> = {};
  for (const word of words) {
    const tables = await tablesWith(superuser, word);
    if (tables.length > 0) found[word.replace(/.{8}$/, "")] = tables;
  }
  return found;
};
const decide = async ({ api }: Actor, id: string, verb: "approve" | "reject", body: object = {}) =>
  must(await api("POST", `/v1/approvals/${id}/${verb}`, body));

describe("a person's values that were erased", () => {
  it("are nowhere any more, and everything verifies as before", async () => {
    const { agent, owner, decider } = people;
    const secrets = newSecrets();
    const say = (name: string) => secrets.plant(name);
    // Nobody takes these; they wait in the outbox, with what they would have said.
    for (const what of ["upsert_entity", "approval.requested", "approval.decided"])
      must(
        await owner.api("PUT", `${SUBSTRATE}/outbox-targets/${what}`, {
          ...{ webhook_url: "http://127.0.0.1:9/hook", signing_secret: "a secret of mine" },
        }),
      );
    const principle = await proposed(owner.api, "record_principle", {
      title: "Not so",
      applies_to: { capability: ["upsert_entity", "patch_entity"] },
      constraint_spec: {
        ...{ type: "allowed_values", params: { field: "attrs_patch.nickname", values: ["none"] } },
      },
    });
    await decide(decider, principle.approval_id, "approve");

    const person = (name: string) => ({
      ...{ type: "person", display_name: say(name), primary_email: `${say(`${name}mail`)}@example.com` },
      ...{ canonical_keys: { github: say(`${name}key`) }, attrs: { phone: [say(`${name}phone`)] } },
    });
    const made = must(
      await agent.api(
        ...(["POST", `${SUBSTRATE}/actions/propose`] as const),
        { capability: "upsert_entity", payload: person("ada"), idempotency_key: "ada" },
        { "x-butterbase-trigger-context": say("context") },
      ),
    );
    const id = made.result.entity_id;
    const twin = await proposed(agent.api, "upsert_entity", person("twin"));
    const merged = await proposed(agent.api, "merge_entities", {
      ...{ loser_id: twin.result.entity_id, winner_id: id, reason: say("same") },
    });
    await decide(decider, merged.approval_id, "approve");
    must(await agent.api("PATCH", `${SUBSTRATE}/entities/${id}`, { attrs: { shoe: say("shoe") } }));
    // A principle stands against it, and says why.
    const nickname = say("nickname");
    const named = await proposed(agent.api, "patch_entity", { id, attrs_patch: { nickname } });
    expect(named.verdict.conflicts[0].reason).toContain(nickname);
    const waiting = await proposed(agent.api, "delete_entity", { id, reason: say("waiting") });
    const rejected = await proposed(agent.api, "delete_entity", { id, reason: say("asked") });
    await decide(decider, rejected.approval_id, "reject", { reason: say("answer") });

    const before = await checkpoint();
    expect((await told(secrets.all)).length).toBe(secrets.all.length);
    const everywhere = Object.values(await kept(secrets.all)).flat();
    for (const table of [
      "memory_records",
      "memory_versions",
      "substrate_actions",
      "ledger_openings",
      "outbox",
    ])
      expect(everywhere).toContain(table);

    const reason = say("erased");
    const erased = must(await owner.api("POST", `${SUBSTRATE}/erase`, { entity_id: id, reason }));
    expect(erased.actions).toEqual(
      expect.arrayContaining(
        [made, twin, merged, named, waiting, rejected].map(({ action_id }) => action_id),
      ),
    );
    const words = secrets.all.filter((word) => word !== reason);
    // The words searches go by are counted a little later.
    await vi.waitFor(async () => expect(await kept(words)).toEqual({}), { timeout: 15_000, interval: 200 });
    expect(await told(words)).toEqual([]);
    // The letter that told that something waits said why: what was mailed is out of reach.
    const mail = JSON.stringify(
      must(await owner.api("GET", `/v1/organizations/${people.organization.id}/mail`)),
    );
    expect(words.filter((word) => mail.includes(word))).toEqual([]);
    const { lines, code } = await witness.verify(await exportOf(server, people.organization), [before]);
    expect([code, lines[0]]).toEqual([0, expect.stringMatching(/^ok: .* [1-9]\d* not there/)]);
  }, 60_000);

  it("by their owner in the ledger alone are gone from it; the rest of the server keeps its own", async () => {
    const { owner, viewer, organization } = people;
    const secrets = newSecrets();
    const email = `${secrets.plant("gone")}@example.com`;
    const members = `/v1/organizations/${organization.id}/members`;
    const member = must(await owner.api("POST", members, { email, role: "viewer" }));
    must(await owner.api("DELETE", `${members}/${member.account_id}`));
    const before = await checkpoint();
    const { entries } = must(
      await owner.api("GET", "/v1/ledger/entries?kind=audit.organizations.add_member&limit=1"),
    );
    const [{ entry, openings }] = entries;
    expect(openings.event_data.value.input.email).toBe(email);
    expect(await told(secrets.all)).toEqual(secrets.all);

    const erasure = { subjects: [entry.subject], reason: "asked for" };
    expect((await viewer.api("POST", "/v1/ledger/erase", erasure)).status).toBe(403);
    const { erased } = must(await owner.api("POST", "/v1/ledger/erase", erasure));
    expect(erased).toBe(Object.keys(openings).length);
    expect(await told(secrets.all)).toEqual([]);
    const [after] = must(await owner.api("GET", `/v1/ledger/entries?subject=${entry.subject}`)).entries;
    expect(after).toMatchObject({ entry, index: expect.any(Number) });
    expect(after.openings).toBeUndefined();
    expect(await kept(secrets.all)).toEqual({ zqgone: ["accounts", "audit_log"] });
    const { lines, code } = await witness.verify(await exportOf(server, organization), [before]);
    expect([code, lines[0]]).toEqual([0, expect.stringMatching(/^ok: /)]);
  });
});
