import { describe, expect, it } from "vitest";
import { scopesFor } from "./scopes.ts";

const base = { scope: "app" as const, key_scope: "account", additional_scopes: [], read_only: false };
const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("scopesFor", () => {
  it("gives an account key every app and an app key one", () => {
    expect(scopesFor(base)).toEqual(["*"]);
    expect(scopesFor({ ...base, key_scope: "app", target_app_id: "app_a" })).toEqual([
      "app:app_a",
      "ai:gateway",
    ]);
    expect(scopesFor({ ...base, read_only: true, additional_scopes: ["substrate"] })).toEqual([
      "*",
      "substrate",
      "read",
    ]);
  });

  it("refuses what means nothing or would widen the key by name", () => {
    expect(codeOf(() => scopesFor({ ...base, key_scope: "planet" }))).toBe("INVALID_KEY_SCOPE");
    expect(codeOf(() => scopesFor({ ...base, key_scope: "app" }))).toBe("TARGET_APP_REQUIRED");
    const bound = { key_scope: "app", target_app_id: "app_a" };
    expect(codeOf(() => scopesFor({ ...base, ...bound, scope: "substrate" }))).toBe("INVALID_KEY_SCOPE");
    expect(codeOf(() => scopesFor({ ...base, target_app_id: "app_a" }))).toBe("TARGET_APP_NOT_ALLOWED");
    for (const scope of ["*", "read", "app:app_b"]) {
      expect(codeOf(() => scopesFor({ ...base, additional_scopes: [scope] }))).toBe("RESERVED_SCOPE");
    }
    expect(codeOf(() => scopesFor({ ...base, additional_scopes: ["root"] }))).toBe("UNKNOWN_SCOPE");
  });
});
