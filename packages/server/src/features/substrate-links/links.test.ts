import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AppCall } from "../../kernel/operation.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createSubstrateLinks } from "./index.ts";
import { boundApp, scopeOf } from "./reader.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test?.stop());

const key = (scopes: string[], more: Partial<KeyPrincipal> = {}): KeyPrincipal => ({
  kind: "key",
  keyId: "k",
  keyKind: "agent",
  accountId: "a",
  organizationId: test.organizationId,
  role: "owner",
  scopes,
  expiresAtMs: null,
  ...more,
});
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => "ok",
    (error) => error.code,
  );

describe("who reads what", () => {
  it("a key that reaches every app is bound to none, whatever else it holds", () => {
    fc.assert(
      fc.property(fc.subarray(["*", "app:app_1", "substrate", "read", "ai:gateway"]), (scopes) => {
        const bound = boundApp({ scopes });
        expect(bound).toBe(!scopes.includes("*") && scopes.includes("app:app_1") ? "app_1" : null);
      }),
    );
  });

  it("what is not narrowed is not mentioned", () => {
    expect(scopeOf({ app_id: "app_1", read_scope: {} })).toEqual({ appId: "app_1" });
    expect(
      scopeOf({ app_id: "app_1", read_scope: { kinds: ["learning"], entity_types: [], own_only: true } }),
    ).toEqual({ appId: "app_1", kinds: ["learning"], entityTypes: [], ownOnly: true });
  });
});

describe("links", () => {
  it("an app's key reads with the app's link, others read everything; unlinking ends it within a second", async () => {
    const app = await test.createApp();
    const { service } = createSubstrateLinks(test.platform);
    const other = createSubstrateLinks(test.platform).service;
    const bound = key([`app:${app.id}`, "substrate"]);
    expect(await codeOf(service.readerOf(bound))).toBe("SUBSTRATE_NOT_LINKED");
    expect(await service.readerOf(key(["*", "substrate"]))).toEqual({
      organizationId: test.organizationId,
      scope: null,
    });
    await service.link(app.id, test.organizationId, { own_only: true });
    expect((await service.readerOf(bound)).scope).toEqual({ appId: app.id, ownOnly: true });
    // Linking again keeps the scope.
    await service.link(app.id, test.organizationId, null);
    await service.mirror(app.id, true);
    expect(await service.mirrorsUsers(app.id)).toBe(true);
    await other.readerOfApp(app.id);
    await service.unlink(app.id);
    expect(await codeOf(service.readerOfApp(app.id))).toBe("SUBSTRATE_NOT_LINKED");
    await sleep(1_000);
    expect(await codeOf(other.readerOfApp(app.id))).toBe("SUBSTRATE_NOT_LINKED");
    expect(await codeOf(service.mirror(app.id, true))).toBe("SUBSTRATE_NOT_LINKED");
  });

  it("only a person who may administer sets a scope, or unlinks an app that has one", async () => {
    const app = await test.createApp();
    const { service, feature } = createSubstrateLinks(test.platform);
    const run = (name: string, principal: KeyPrincipal, input: object) => {
      const operation = feature.operations.find((each) => each.name === `substrate_links.${name}`)!;
      const call = { principal, app, nowMs: 0 } as AppCall;
      return codeOf(operation.run(call, { app_id: app.id, ...input }));
    };
    const agent = key(["*", "substrate"]);
    const person = key(["*", "substrate"], { keyKind: "person" });
    const developer = key(["*", "substrate"], { keyKind: "person", role: "developer" });
    expect(await run("link", agent, {})).toBe("ok");
    expect(await run("unlink", agent, {})).toBe("ok");
    expect(await run("link", agent, { organization_id: "another" })).toBe("SUBSTRATE_OTHER_ORGANIZATION");
    const scoped = { read_scope: { own_only: true } };
    expect(await run("link", agent, scoped)).toBe("AUTH_PERSON_REQUIRED");
    expect(await run("link", developer, scoped)).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(await run("link", person, scoped)).toBe("ok");
    expect(await run("unlink", agent, {})).toBe("AUTH_PERSON_REQUIRED");
    expect((await service.get(app.id))?.read_scope).toEqual({ own_only: true });
    expect(await run("unlink", person, {})).toBe("ok");
  });
});
