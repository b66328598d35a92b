import type { PolicyDocument } from "@ambit/policy";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { type GatewayStand, gatewayStand, type StandGrant } from "./testing/stand.ts";
import { ran, runs } from "./testing/verdicts.ts";

let stand: GatewayStand;
let owner: KeyPrincipal;
beforeAll(async () => {
  stand = await gatewayStand();
  owner = await stand.member("owner");
});
afterAll(() => stand.stop());

const PAY: PolicyDocument = {
  version: "1",
  default: "deny",
  tools: {
    pay: {
      limits: [{ counter: "pay", window: "day", max: 100, scope: "grant" }],
      approve_if: [{ conditions: [], on_deny: "look first" }],
    },
  },
};
const ARGS = { amount: 5 };
let grant: StandGrant;
beforeEach(async () => {
  grant = await stand.grant(PAY);
});

const send = (requestState: string | null, more: object = {}) =>
  stand.call(grant, "pay", ARGS, { opensUrls: true, requestState, ...more });
async function asked(requestState: string | null = null, more: object = {}) {
  const verdict = await send(requestState, more);
  if (verdict.kind !== "ask") throw new Error(`${verdict.kind}: ${JSON.stringify(verdict)}`);
  return { ...verdict, id: verdict.approvalUrl.split("/").at(-1)! };
}
const kindOf = async (requestState: string, more: object = {}) => (await send(requestState, more)).kind;
const used = () => stand.used(`grant:${grant.id}/pay/day`);

describe("a client that opens pages", () => {
  it("is sent to the approval's page, again and again until it is decided, then runs the call", async () => {
    const first = await asked();
    expect(first).toMatchObject({
      approvalUrl: `http://127.0.0.1:4000/approve/${first.id}`,
      message: "This call needs a person's approval: look first",
    });
    const second = await asked(first.requestState);
    expect(second.id).toBe(first.id);
    expect(second.requestState).not.toBe(first.requestState);
    await stand.decide(owner, first.id, "approve");
    // Ambit was started anew meanwhile.
    const verdict = await send(second.requestState, { node: stand.node() });
    await runs(verdict, ran("paid"));
    expect(await used()).toBe(1);
    // Without a state it is a repetition as well.
    expect((await send(null)).kind).toBe("replay");
  });

  it("learns of a rejection", async () => {
    const { id, requestState } = await asked();
    await stand.decide(owner, id, "reject", "no");
    expect(await send(requestState)).toMatchObject({
      kind: "answer",
      result: { _meta: { "ambit/decision": { outcome: "deny", approval_id: id } } },
    });
  });
});

describe("a requestState", () => {
  it("is good once, on whichever node", async () => {
    const { id, requestState } = await asked();
    const node = stand.node();
    const kinds = await Promise.all([
      kindOf(requestState),
      kindOf(requestState, { node }),
      kindOf(requestState),
      kindOf(requestState, { node }),
    ]);
    expect(kinds.sort()).toEqual(["ask", "bad_state", "bad_state", "bad_state"]);
    await stand.decide(owner, id, "approve");
    // Used up before the approval, it opens nothing after it.
    expect(await kindOf(requestState)).toBe("bad_state");
    const errors = (await stand.entries(grant.id)).filter(({ kind }) => kind === "gateway.error");
    expect(errors).toHaveLength(4);
    expect(errors[0]!.data).toMatchObject({ rule: "(malformed)" });
  });

  it("is good for its own call only", async () => {
    const { id, requestState } = await asked();
    await stand.decide(owner, id, "approve");
    const other = await stand.grant(PAY, { serverId: grant.serverId });
    expect((await stand.call(other, "pay", ARGS, { requestState })).kind).toBe("bad_state");
    expect((await stand.call(grant, "pay", { amount: 6 }, { requestState })).kind).toBe("bad_state");
    // None of these used it up.
    expect(await kindOf(requestState)).toBe("forward");
  });

  it("that is forged is none", async () => {
    const { id, requestState } = await asked();
    await stand.decide(owner, id, "approve");
    const [version, nonce, tag, body] = requestState.split(".") as [string, string, string, string];
    const flip = (text: string) => {
      const bytes = Buffer.from(text, "base64url");
      bytes[0] = bytes[0]! ^ 1;
      return bytes.toString("base64url");
    };
    const forged = [
      "",
      "v1",
      "nonsense",
      id,
      `${version}.${nonce}.${tag}.${flip(body)}`,
      `${version}.${nonce}.${flip(tag)}.${body}`,
      `${version}.${flip(nonce)}.${tag}.${body}`,
      `v2.${nonce}.${tag}.${body}`,
      "x".repeat(100_000),
      stand.platform.secrets.seal("another-purpose", JSON.stringify([id, "n", 9e15])),
    ];
    for (const state of forged)
      expect([state.slice(0, 20), await kindOf(state)]).toEqual([state.slice(0, 20), "bad_state"]);
    expect(await kindOf(requestState)).toBe("forward");
  });

  it("is one of the last eight, and is over when the call's time is", async () => {
    const states = [];
    for (let n = 0; n < 10; n++) states.push((await asked()).requestState);
    expect(await kindOf(states[0]!)).toBe("bad_state");
    expect(await kindOf(states[1]!)).toBe("bad_state");
    expect(await kindOf(states[9]!)).toBe("ask");
    expect(await kindOf(states[2]!)).toBe("ask");
    stand.advance(48 * 3_600_000);
    expect(await kindOf(states[8]!)).toBe("bad_state");
  });

  it("does not help a call that today's policy denies", async () => {
    const { id, requestState } = await asked();
    await stand.decide(owner, id, "approve");
    await stand.edit(grant, { ...PAY, hide: ["pay"], tools: {} });
    expect(await send(requestState)).toMatchObject({
      result: { _meta: { "ambit/decision": { outcome: "deny", rule: "(hidden)" } } },
    });
    await stand.edit(grant, PAY);
    expect(await kindOf(requestState)).toBe("forward");
  });

  it("lets an approved call run that today's policy would let pass, with the quota it holds", async () => {
    const { id, requestState } = await asked();
    await stand.decide(owner, id, "approve");
    await stand.edit(grant, { ...PAY, tools: { pay: { limits: PAY.tools!.pay!.limits } } });
    const verdict = await send(requestState);
    expect(verdict).toMatchObject({ kind: "forward", call: { keepsResult: true } });
    await runs(verdict, ran("paid"));
    expect(await used()).toBe(1);
  });

  it("of a call that is still undecided lets it pass when today's policy does", async () => {
    const { requestState } = await asked();
    await stand.edit(grant, { ...PAY, tools: { pay: {} } });
    expect(await send(requestState)).toMatchObject({ kind: "forward", call: { keepsResult: false } });
  });
});
