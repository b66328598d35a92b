import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ROLES, type Role } from "../../kernel/principal.ts";
import { decideMemberChange } from "./membership.ts";

const role = fc.constantFrom<Role>(...ROLES);

describe("decideMemberChange", () => {
  it("never leaves an organisation without an owner", () => {
    fc.assert(
      fc.property(
        fc.array(role, { minLength: 1, maxLength: 6 }),
        role,
        fc.nat(5),
        fc.option(role),
        (roles, actorRole, n, next) => {
          const members = new Map(["owner" as Role, ...roles].map((each, i) => [String(i), each]));
          const accountId = String(n % members.size);
          if (decideMemberChange({ members, actorRole, accountId, role: next }) !== null) return true;
          const after = new Map(members);
          if (next === null) after.delete(accountId);
          else after.set(accountId, next);
          return [...after.values()].includes("owner");
        },
      ),
    );
  });

  it("lets only owners make or unmake owners", () => {
    const members = new Map<string, Role>([
      ["a", "owner"],
      ["b", "owner"],
      ["c", "viewer"],
    ]);
    const change = { members, actorRole: "admin" as Role, accountId: "c", role: "owner" as Role };
    expect(decideMemberChange(change)?.code).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    expect(decideMemberChange({ ...change, accountId: "b", role: null })?.code).toBe(
      "AUTH_INSUFFICIENT_PERMISSIONS",
    );
    expect(decideMemberChange({ ...change, actorRole: "owner" })).toBeNull();
  });

  it("says when there is no such member", () => {
    const change = { members: new Map(), actorRole: "owner" as Role, accountId: "x", role: null };
    expect(decideMemberChange(change)?.code).toBe("RESOURCE_NOT_FOUND");
  });
});
