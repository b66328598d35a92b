import { describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { type ContextFacts, contextJson, contextTail } from "./context.ts";

const app = { id: "app_a", name: "nötes", subdomain: "notes" } as App;
const json = (facts: Partial<ContextFacts>) =>
  contextJson(
    {
      trigger: "http",
      principal: { kind: "anonymous" },
      key: null,
      internalCaller: null,
      ip: "::1",
      loopDepth: 0,
      verbose: false,
      ...facts,
    },
    "r1",
    contextTail("hello", app, false),
  );

describe("contextJson", () => {
  it("is the whole context, in ASCII", () => {
    const text = json({
      principal: { kind: "user", appId: "app_a", userId: 'ü"\n😀', claims: { email: "é@x" }, expiresAtMs: 1 },
    });
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(text)).toEqual({
      requestId: "r1",
      trigger: "http",
      caller: { type: "end_user_jwt", userId: 'ü"\n😀' },
      user: { id: 'ü"\n😀', email: "é@x" },
      ip: "::1",
      loopDepth: 0,
      verbose: false,
      functionName: "hello",
      app: { id: "app_a", name: "nötes", subdomain: "notes" },
      mayUseService: false,
    });
  });

  it("says who calls in each case", () => {
    const of = (facts: Partial<ContextFacts>) => JSON.parse(json(facts)).caller;
    expect(of({})).toEqual({ type: "anonymous" });
    expect(of({ trigger: "cron" })).toEqual({ type: "loopback" });
    expect(of({ trigger: "webhook" })).toEqual({ type: "anonymous" });
    expect(of({ trigger: "internal", internalCaller: "other" })).toEqual({
      type: "anonymous",
      internalCaller: "other",
    });
    const key = { kind: "key", keyId: "k", scopes: ["read", "app:app_a"] } as unknown as NonNullable<
      ContextFacts["key"]
    >;
    expect(of({ principal: key, key })).toEqual({ type: "service_key", keyId: "k", scope: "read app:app_a" });
  });

  it("lets no address break out of its place", () => {
    expect(JSON.parse(json({ ip: '1","loopDepth":9,"x":"' })).loopDepth).toBe(0);
    expect(JSON.parse(json({ ip: null })).ip).toBeNull();
  });
});
