import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callerOf } from "../../testing/caller.ts";
import { type Receiver, startReceiver, until } from "../outbox/testing/receiver.ts";
import { AGENT, approvalsStand, type Member, type Stand } from "./testing/stand.ts";

let stand: Stand;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
  stand = await approvalsStand([receiver.port]);
  await stand.outboxFeature.start?.();
});
afterAll(async () => {
  await stand.outboxFeature.stop?.();
  await stand.stop();
  await receiver.close();
});

/** An organisation of its own, with members of these roles. */
async function organization(...roles: Parameters<Stand["member"]>[0][]): Promise<[string, Member[]]> {
  const organizationId = await stand.organization();
  const members: Member[] = [];
  for (const role of roles) members.push(await stand.member(role, { organizationId }));
  return [organizationId, members];
}
const mailOf = (organizationId: string) => stand.mail.organizationOutbox(organizationId, null, 100);

describe("mail", () => {
  it("goes to every member who may decide but the one who asks, with the link and without the arguments", async () => {
    const [organizationId, members] = await organization("owner", "admin", "policy_manager", "developer");
    const [owner, admin, manager] = members as [Member, Member, Member];
    const requester = { ...AGENT, accountId: admin.key.accountId, label: "http://evil.example" };
    const title = "Pay \u202e now at evil.example/approve\nBcc: x@example.com";
    const id = await stand.ask({ organizationId, requester, title, item: "the secret plan" });
    const mails = await mailOf(organizationId);
    expect(mails.map(({ to }) => to).sort()).toEqual([owner.email, manager.email].sort());
    const { subject, text, kind } = mails[0]!;
    expect(kind).toBe("approval_requested");
    expect(subject).toBe(
      "Waits for your decision: Pay \ufffd now at evil[.]example/approve Bcc: x@example[.]com",
    );
    expect(text).toContain(`http://127.0.0.1:4000/approve/${id}\n`);
    expect(text.match(/https?:\/\//g)).toHaveLength(1);
    expect(text).not.toContain("secret plan");
  });

  it("goes where the owner says, or to nobody", async () => {
    const [organizationId, [owner]] = await organization("owner");
    await stand.service.configure(organizationId, { notifyEmails: ["desk@example.com"] });
    await stand.ask({ organizationId });
    expect((await mailOf(organizationId)).map(({ to }) => to)).toEqual(["desk@example.com"]);
    await stand.service.configure(organizationId, { notifyEmails: [] });
    await stand.ask({ organizationId });
    expect(await mailOf(organizationId)).toHaveLength(1);
    await stand.service.configure(organizationId, { notifyEmails: null });
    await stand.ask({ organizationId });
    expect((await mailOf(organizationId)).map(({ to }) => to)).toEqual([owner!.email, "desk@example.com"]);
  });
});

describe("webhooks", () => {
  it("are told what waits and what became of it, signed", async () => {
    const [organizationId, [owner]] = await organization("owner");
    const { call } = callerOf(stand.outboxFeature.operations, owner!.key, stand.now);
    const paths = { "approval.requested": "/asked", "approval.decided": "/decided" };
    const secret = "a secret of 8 or more";
    for (const [capability, path] of Object.entries(paths)) {
      const webhook_url = `http://127.0.0.1:${receiver.port}${path}`;
      await call("outbox.set_target", { capability, webhook_url, signing_secret: secret });
    }
    const id = await stand.ask({ organizationId, item: "kept quiet" });
    const decision = { decision: "reject", reason: "not today" } as const;
    await stand.service.decide(owner!.key, { id }, decision, stand.now());
    const about = (path: string) =>
      receiver.received.filter((each) => each.path === path && each.body.includes(id));
    await until(() => about("/asked").length === 1 && about("/decided").length === 1);
    const [asked, decided] = [about("/asked")[0]!, about("/decided")[0]!];
    const common = {
      approval_id: id,
      kind: "tool_call",
      requester: { type: "agent", id: AGENT.id, label: AGENT.label },
    };
    expect(JSON.parse(asked.body)).toMatchObject({
      ...common,
      url: `http://127.0.0.1:4000/approve/${id}`,
      expires_at: expect.stringMatching(/Z$/),
    });
    expect(JSON.parse(decided.body)).toMatchObject({
      ...common,
      status: "rejected",
      decided_by: owner!.key.accountId,
      decision_reason: "not today",
    });
    const signature = createHmac("sha256", secret).update(decided.body).digest("hex");
    expect(decided.headers["x-butterbase-signature"]).toBe(`sha256=${signature}`);
    expect(JSON.parse(asked.body)).not.toHaveProperty("request");
  });
});
