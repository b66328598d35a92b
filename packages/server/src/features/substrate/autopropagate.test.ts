import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { createPipeline } from "../../kernel/pipeline.ts";
import { ANONYMOUS } from "../../kernel/principal.ts";
import { personOf } from "./autopropagate.ts";
import { type Member, type Stand, substrateStand } from "./testing/stand.ts";

let stand: Stand;
let owner: Member;
let app: App;
beforeAll(async () => {
  stand = await substrateStand();
  owner = await stand.member("owner");
  app = await stand.createApp("shop");
});
afterAll(() => stand.stop());

type Any = any;
const PASSWORD = "Correct-Horse-7";

/** Calls an operation of the app's auth as its users do. */
async function asUser(name: string, input: object): Promise<Any> {
  const operation = stand.operations.find((each) => each.name === name)!;
  const pipeline = createPipeline({ findApp: (id) => stand.apps.find(id), record: async () => {} });
  const call = {
    principal: ANONYMOUS,
    door: "http" as const,
    requestId: "r",
    ip: "127.0.0.1",
    userAgent: "t",
  };
  return pipeline(
    operation,
    { ...call, nowMs: stand.now(), signal: new AbortController().signal },
    { ...input, app_id: app.id },
  );
}
const signUp = async (email: string) =>
  (await asUser("auth.signup", { email, password: PASSWORD })).body?.user?.id;
const verify = async (email: string) => {
  const [mail] = await stand.mail.outbox(app.id, email, 1);
  await asUser("auth.verify_email", { email, code: mail!.code });
};
const actions = async (capability: string): Promise<Any[]> =>
  stand.substrate.service.actions(stand.organizationId, { capability, sourceAppId: app.id, limit: 50 });
const reader = () => ({ organizationId: stand.organizationId, scope: null });

describe("users of a linked app", () => {
  it("are not mirrored before the app asks for it", async () => {
    await signUp("early@example.com");
    await stand.links.service.link(app.id, stand.organizationId, null);
    await signUp("early2@example.com");
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await actions("upsert_entity")).toEqual([]);
  });

  it("become people when they sign up, known by their address once it is proved", async () => {
    await stand.links.service.mirror(app.id, true);
    await signUp("ada@example.com");
    const [first] = await vi.waitFor(async () => {
      const found = await actions("upsert_entity");
      expect(found).toHaveLength(1);
      return found;
    });
    expect(first).toMatchObject({
      ...{ status: "executed", source_app_id: app.id, proposer: { kind: "app", id: app.id, label: "shop" } },
      payload: { type: "person", linked_app_id: app.id },
    });
    expect(first.payload.primary_email).toBeUndefined();
    await verify("ada@example.com");
    const [second] = await vi.waitFor(async () => {
      const found = await actions("upsert_entity");
      expect(found).toHaveLength(2);
      return found;
    });
    expect(second).toMatchObject({
      payload: { primary_email: "ada@example.com" },
      result: { entity_id: first.result.entity_id, was_insert: false },
    });
  });

  it("who turn out to be somebody known are proposed to be merged, not taken for them", async () => {
    const { result } = (await stand.propose(owner, "upsert_entity", {
      ...{ type: "person", display_name: "Grace", primary_email: "grace@example.com" },
    })) as Any;
    await signUp("grace@example.com");
    await vi.waitFor(async () => expect(await actions("upsert_entity")).toHaveLength(3));
    const before = await stand.memory.service.get(reader(), result.entity_id);
    expect(before).toMatchObject({ title: "Grace" });
    await verify("grace@example.com");
    const [merge] = await vi.waitFor(async () => {
      const found = await actions("merge_entities");
      expect(found).toHaveLength(1);
      return found;
    });
    const [mirrored] = await actions("upsert_entity");
    expect(merge).toMatchObject({
      status: "proposed",
      payload: { loser_id: mirrored.result.entity_id, winner_id: result.entity_id },
    });
  });

  it("who are deleted are proposed to be deleted", async () => {
    const [{ payload, result }] = (await actions("upsert_entity")).filter(
      ({ payload }) => payload.primary_email === "ada@example.com",
    );
    await stand.auth.service.deleteUser(app.id, payload.linked_app_user_id);
    const [deletion] = await vi.waitFor(async () => {
      const found = await actions("delete_entity");
      expect(found).toHaveLength(1);
      return found;
    });
    expect(deletion).toMatchObject({ status: "proposed", payload: { id: result.entity_id } });
    expect(await stand.memory.service.get(reader(), result.entity_id)).not.toBeNull();
  });
});

it("an address that is not proved is no key", () => {
  const user = { id: "u", email: "boss@example.com", display_name: null, avatar_url: null };
  expect(personOf("app_x", { ...user, email_verified: false })).toEqual({
    ...{ type: "person", display_name: "User u", linked_app_id: "app_x", linked_app_user_id: "u" },
  });
  expect(personOf("app_x", { ...user, email_verified: true })).toMatchObject({
    ...{ display_name: "boss@example.com", primary_email: "boss@example.com" },
  });
});
