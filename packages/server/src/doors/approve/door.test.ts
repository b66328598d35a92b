import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Member } from "../../features/approvals/testing/stand.ts";
import { type Door, hiddenOf, startDoor, tampered, Visitor } from "./testing/door.ts";

let door: Door;
let owner: Member;
let admin: Member;
beforeAll(async () => {
  door = await startDoor();
  [owner, admin] = [await door.member("owner"), await door.member("admin")];
});
afterAll(() => door.close());

async function signedIn(member: Member, id: string): Promise<Visitor> {
  const visitor = new Visitor(door);
  expect((await visitor.signIn(id, member.token)).status).toBe(303);
  return visitor;
}

describe("deciding on the page", () => {
  it("a person signs in, sees what is asked for and what it would do, confirms, and it is done", async () => {
    await door.tool.setPrice("rice", 2);
    const id = await door.ask({ item: "rice", price: 7 });
    const visitor = new Visitor(door);
    const asked = await visitor.get(`/approve/${id}`);
    expect(asked.status).toBe(200);
    expect(asked.body).toContain('name="key"');
    expect(asked.body).not.toContain("rice");
    const landed = await visitor.signIn(id, owner.token);
    expect([landed.status, landed.headers.location]).toEqual([303, `/approve/${id}`]);
    expect(landed.headers["set-cookie"]).toEqual([
      expect.stringMatching(
        /^ambit_approve=v1\.[\w.-]+; Path=\/approve; HttpOnly; SameSite=Strict; Max-Age=900$/,
      ),
    ]);
    const page = await visitor.get(`/approve/${id}`);
    for (const text of [
      "Set the price of rice",
      "pricing agent",
      "approve_if: the price changes",
      "Before",
    ]) {
      expect(page.body).toContain(text);
    }
    expect(page.body).toMatch(/<bdi>price<\/bdi><\/td><td class="value"><code>2<\/code>.*<code>7<\/code>/);
    expect(page.body).toContain(owner.email);
    const confirm = await visitor.choose(id, "approve");
    expect(confirm.body).toContain("It is executed at once.");
    expect(await door.tool.price("rice")).toBe(2);
    const done = await visitor.post(`/approve/${id}/decide`, hiddenOf(confirm));
    expect([done.status, done.headers.location]).toEqual([303, `/approve/${id}`]);
    expect(await door.tool.price("rice")).toBe(7);
    const after = await visitor.get(`/approve/${id}`);
    expect(after.body).toContain("Approved and executed at");
    expect(after.body).not.toContain('<button class="yes"');
  });

  it("a rejection takes a reason, which is shown", async () => {
    const id = await door.ask();
    const visitor = await signedIn(admin, id);
    expect((await visitor.decide(id, "reject")).body).toContain("A rejection needs a reason");
    expect((await visitor.decide(id, "reject", "  ")).status).toBe(400);
    expect((await visitor.decide(id, "reject", "not <now>")).status).toBe(303);
    const after = await visitor.get(`/approve/${id}`);
    expect(after.body).toContain("Rejected at");
    expect(after.body).toContain("not &lt;now&gt;");
    expect(await door.tool.runs(id)).toEqual([{ approval_id: id, what: "rejected not <now>" }]);
  });

  it("tells of a failure, and of what the preview says would fail", async () => {
    const id = await door.ask({ item: "below", price: -1 });
    const visitor = await signedIn(owner, id);
    expect((await visitor.get(`/approve/${id}`)).body).toContain("It would fail:");
    expect((await visitor.decide(id, "approve")).status).toBe(303);
    expect((await visitor.get(`/approve/${id}`)).body).toContain("but it failed.");
  });

  it("of two people at once one decides; the other reads who and when", async () => {
    const id = await door.ask({ item: "both" });
    const visitors = [await signedIn(owner, id), await signedIn(admin, id)];
    const forms = await Promise.all(visitors.map((visitor) => visitor.choose(id, "approve")));
    const said = await Promise.all(
      visitors.map((visitor, at) => visitor.post(`/approve/${id}/decide`, hiddenOf(forms[at]!))),
    );
    expect(said.map(({ status }) => status).sort()).toEqual([303, 409]);
    const [winner, loser] = said[0]!.status === 303 ? [owner, said[1]!] : [admin, said[0]!];
    expect(loser.body).toContain(`This was approved by ${winner.email} at`);
    expect(await door.tool.runs(id)).toHaveLength(1);
  });

  it("shows no button to whoever can't, and says why", async () => {
    const requester = { type: "agent", id: "k", accountId: owner.key.accountId, label: "mine" } as const;
    const id = await door.ask({ requester });
    const own = await (await signedIn(owner, id)).get(`/approve/${id}`);
    expect(own.body).toContain("the organisation asks for four eyes");
    expect(own.body).not.toContain('value="approve"');
    expect(own.body).toContain('value="reject"');
    const viewer = await signedIn(await door.member("viewer"), id);
    const page = await viewer.get(`/approve/${id}`);
    expect(page.body).toContain("The role viewer does not include the right");
    expect(page.body).not.toMatch(/value="(approve|reject)"/);
    // Without the button, the form is refused all the same.
    const forged = await viewer.post(`/approve/${id}/confirm`, { ...hiddenOf(page), decision: "approve" });
    expect(forged.status).toBe(403);
  });
});

describe("signing in", () => {
  it("takes no agent's key, no key that is none, and no end of tries", async () => {
    const id = await door.ask();
    const visitor = new Visitor(door);
    const agent = await door.keyOf(owner, "agent");
    const refused = await visitor.signIn(id, agent.token);
    expect(refused.status).toBe(403);
    expect(refused.body).toContain("This is an agent&#39;s key: agents never decide on approvals.");
    const bound = await door.keyOf(owner, "person", ["app:app_1", "substrate"]);
    const narrow = await visitor.signIn(id, bound.token);
    expect([narrow.status, narrow.headers["set-cookie"]]).toEqual([403, undefined]);
    expect(narrow.body).toContain("The key is bound to one app");
    for (const key of ["", "nonsense", "a.b.c", "bb_sk_\u0000", "bb_sk_x y", "x".repeat(5_000)]) {
      const answer = await visitor.signIn(id, key);
      expect([answer.status, answer.headers["set-cookie"]]).toEqual([401, undefined]);
      expect(answer.body).toContain("That is not a live key.");
      if (key !== "") expect(answer.body).not.toContain(key);
    }
    const wrong = `bb_sk_${"0".repeat(40)}`;
    const tries = [];
    for (let n = 0; n < 7; n++) tries.push(await visitor.signIn(id, wrong));
    expect(tries.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429, 429]);
    expect(tries.at(-1)!.headers["retry-after"]).toMatch(/^\d+$/);
    expect(tries.at(-1)!.body).toContain("Too many requests");
    // Others behind the same address still come in.
    expect((await visitor.signIn(id, owner.token)).status).toBe(303);
  });

  it("tells nothing about what is there: another organisation's approval and none look the same", async () => {
    const id = await door.ask({ organizationId: await door.organization() });
    const none = `apr_${"0".repeat(26)}`;
    const alike = async (visitor: Visitor) => {
      const [one, other] = [await visitor.get(`/approve/${id}`), await visitor.get(`/approve/${none}`)];
      expect(one.status).toBe(other.status);
      expect(one.body.replaceAll(id, "ID")).toBe(other.body.replaceAll(none, "ID"));
      return one;
    };
    expect((await alike(new Visitor(door))).status).toBe(200);
    const visitor = await signedIn(owner, id);
    expect((await alike(visitor)).status).toBe(404);
    const form = hiddenOf(await visitor.get(`/approve/${id}`));
    const forged = await visitor.post(`/approve/${id}/confirm`, { ...form, decision: "approve" });
    expect(forged.status).toBe(404);
    for (const path of ["/approve/x", "/approve/apr_%3Cscript%3E", `/approve/${id}%00`]) {
      const answer = await visitor.get(path);
      expect([path, answer.status < 400, answer.body.includes("<script")]).toEqual([path, false, false]);
    }
  });

  it("lasts a quarter of an hour, and ends with the key, its rights, or on demand", async () => {
    const id = await door.ask();
    const visitor = await signedIn(owner, id);
    const stolen = new Visitor(door);
    stolen.cookie = visitor.cookie;
    const form = hiddenOf(await visitor.get(`/approve/${id}`));
    expect((await visitor.post(`/approve/${id}/sign-out`, { form_token: "x" })).status).toBe(303);
    expect((await stolen.get(`/approve/${id}`)).body).toContain("What exactly");
    expect((await visitor.post(`/approve/${id}/sign-out`, form)).headers["set-cookie"]).toEqual([
      expect.stringContaining("Max-Age=0"),
    ]);
    expect((await stolen.get(`/approve/${id}`)).body).not.toContain("What exactly");
    const late = await signedIn(owner, id);
    door.advance(14 * 60_000);
    expect((await late.get(`/approve/${id}`)).body).toContain("What exactly");
    door.advance(60_000);
    expect((await late.get(`/approve/${id}`)).body).toContain("Sign in to decide");
    const forged = new Visitor(door);
    const fresh = await signedIn(owner, id);
    for (const cookie of [
      tampered(fresh.cookie),
      fresh.cookie.slice(0, -2),
      `${fresh.cookie}; ${late.cookie}`,
      "ambit_approve=v1.a.b.c",
    ]) {
      forged.cookie = cookie;
      expect((await forged.get(`/approve/${id}`)).body).toContain("Sign in to decide");
    }
  });

  it("a key that is revoked between two clicks decides nothing any more, nor one whose role went", async () => {
    const id = await door.ask({ item: "mid-session" });
    const revoked = await door.member("admin");
    const visitor = await signedIn(revoked, id);
    const confirm = await visitor.choose(id, "approve");
    await door.platform.database.query("update ambit.api_keys set revoked_at = now() where id = $1", [
      revoked.key.keyId,
    ]);
    const answer = await visitor.post(`/approve/${id}/decide`, hiddenOf(confirm));
    expect(answer.status).toBe(401);
    expect(answer.body).toContain("your key has been revoked");
    const demoted = await door.member("admin");
    const second = await signedIn(demoted, id);
    const form = hiddenOf(await second.choose(id, "approve"));
    await door.platform.database.query("update ambit.members set role = 'developer' where account_id = $1", [
      demoted.key.accountId,
    ]);
    expect((await second.post(`/approve/${id}/decide`, form)).status).toBe(403);
    expect(await door.tool.runs(id)).toEqual([]);
  });
});
