import { z } from "zod";
import { keyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { ROLES } from "../../kernel/principal.ts";
import { limits } from "./limits.ts";
import type { OrganizationsService } from "./service.ts";

const role = z.enum(ROLES).describe("viewer, developer, policy_manager, admin or owner");
const organizationId = z.uuid().describe("The organisation; list shows the ids");
const accountId = z.uuid().describe("The member's account");
const name = z.string().trim().min(1).max(limits.nameChars);
const time = z.string().describe("ISO 8601");
const organization = z.object({ id: z.string(), name: z.string(), created_at: time });
const member = z.object({
  account_id: z.string(),
  email: z.string(),
  display_name: z.string().nullable(),
  role,
  created_at: time,
});

const iso = <T extends { created_at: Date }>(row: T) => ({
  ...row,
  created_at: row.created_at.toISOString(),
});

export function organizationOperations(service: OrganizationsService): AnyOperation[] {
  const tool = "manage_organizations";
  const base = "/v1/organizations";
  return [
    platformOperation({
      name: "organizations.list",
      title: "List organisations",
      summary:
        "The organisation of the caller's key and its role there. A key belongs to one organisation and shows no other.",
      input: z.object({}),
      output: z.object({ organizations: z.array(organization.extend({ role })) }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: base },
      mcp: { tool, action: "list" },
      run: async (call) => ({ organizations: (await service.list(keyOf(call))).map(iso) }),
    }),
    platformOperation({
      name: "organizations.create",
      title: "Create an organisation",
      summary:
        "Makes an organisation with the caller as its owner. The answer holds a key for it, once: a key belongs to one organisation.",
      input: z.object({ name }),
      output: organization.extend({ key: z.string(), key_id: z.string() }),
      right: "own",
      personOnly: true,
      risk: "write",
      idempotent: false,
      audit: { category: "admin", action: "create", resourceType: "organization" },
      http: { method: "POST", path: base, status: 201 },
      mcp: { tool, action: "create" },
      async run(call, input) {
        const { key, ...made } = await service.create(input.name, keyOf(call));
        return { ...iso(made), key: key.key, key_id: key.id };
      },
    }),
    platformOperation({
      name: "organizations.get",
      title: "Get an organisation",
      summary: "Name and members of an organisation.",
      input: z.object({ organization_id: organizationId }),
      output: organization.extend({ members: z.array(member) }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: `${base}/:organization_id` },
      mcp: { tool, action: "get" },
      async run(_call, input) {
        const row = await service.get(input.organization_id);
        return { ...iso(row), members: (await service.members(row.id)).map(iso) };
      },
    }),
    platformOperation({
      name: "organizations.rename",
      title: "Rename an organisation",
      summary: "Changes an organisation's name.",
      input: z.object({ organization_id: organizationId, name }),
      output: organization,
      right: "administer",
      personOnly: true,
      risk: "write",
      idempotent: true,
      audit: {
        category: "admin",
        action: "update",
        resourceType: "organization",
        resourceId: (i) => i.organization_id,
      },
      http: { method: "PATCH", path: `${base}/:organization_id` },
      mcp: { tool, action: "rename" },
      run: async (_call, input) => iso(await service.rename(input.organization_id, input.name)),
    }),
    ...memberOperations(service, tool, `${base}/:organization_id/members`),
  ];
}

function memberOperations(service: OrganizationsService, tool: string, base: string): AnyOperation[] {
  const audited = (action: "create" | "update" | "delete") => ({
    category: "admin" as const,
    action,
    resourceType: "member",
    resourceId: (input: { account_id?: string; email?: string }) => input.account_id ?? input.email ?? null,
  });
  return [
    platformOperation({
      name: "organizations.list_members",
      title: "List members",
      summary: "The members of an organisation and their roles.",
      input: z.object({ organization_id: organizationId }),
      output: z.object({ members: z.array(member) }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: base },
      mcp: { tool, action: "list_members" },
      run: async (_call, input) => ({ members: (await service.members(input.organization_id)).map(iso) }),
    }),
    platformOperation({
      name: "organizations.add_member",
      title: "Add a member",
      summary: "Adds a person to an organisation. The answer holds that person's key, once.",
      input: z.object({
        organization_id: organizationId,
        email: z.email().max(254).describe("The person's address"),
        name: name.optional(),
        role,
      }),
      output: z.object({
        account_id: z.string(),
        email: z.string(),
        role,
        key: z.string(),
        key_id: z.string(),
      }),
      right: "administer",
      personOnly: true,
      risk: "write",
      idempotent: false,
      errors: ["MEMBER_ALREADY_EXISTS"],
      audit: audited("create"),
      http: { method: "POST", path: base, status: 201 },
      mcp: { tool, action: "add_member" },
      run: (call, input) => service.addMember(input.organization_id, keyOf(call).role, input),
    }),
    platformOperation({
      name: "organizations.change_role",
      title: "Change a member's role",
      summary: "Gives a member another role. Holds for that member's keys within a second.",
      input: z.object({ organization_id: organizationId, account_id: accountId, role }),
      output: z.object({ account_id: z.string(), role }),
      right: "administer",
      personOnly: true,
      risk: "write",
      idempotent: true,
      errors: ["LAST_OWNER"],
      audit: audited("update"),
      http: { method: "PATCH", path: `${base}/:account_id` },
      mcp: { tool, action: "change_role" },
      async run(call, input) {
        await service.changeRole(input.organization_id, keyOf(call).role, input.account_id, input.role);
        return { account_id: input.account_id, role: input.role };
      },
    }),
    platformOperation({
      name: "organizations.remove_member",
      title: "Remove a member",
      summary:
        "Removes a member; every key that member had in this organisation stops working within a second.",
      input: z.object({ organization_id: organizationId, account_id: accountId }),
      output: z.object({ removed: z.literal(true), account_id: z.string() }),
      right: "administer",
      personOnly: true,
      risk: "destructive",
      idempotent: true,
      errors: ["LAST_OWNER"],
      audit: audited("delete"),
      http: { method: "DELETE", path: `${base}/:account_id` },
      mcp: { tool, action: "remove_member" },
      async run(call, input) {
        await service.removeMember(input.organization_id, keyOf(call).role, input.account_id);
        return { removed: true as const, account_id: input.account_id };
      },
    }),
  ];
}
