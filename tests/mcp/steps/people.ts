import { destroys, ofApp, ofPlatform, person, reads, type Step } from "../step.ts";

const provider = {
  provider: "own",
  client_id: "id",
  client_secret: "hidden",
  redirect_uris: [],
  authorization_url: "https://id.example/a",
  token_url: "https://id.example/t",
  userinfo_url: "https://id.example/u",
};

/** An app's users and how they come in; organisations, members and keys. */
export const peopleSteps: readonly Step[] = [
  ofApp("auth_update_jwt", "manage_auth_config update_jwt", { accessTokenTtl: "1h" }),
  ofApp("auth_configure_auth_hook", "manage_auth_config configure_auth_hook", { post_auth_function: null }),
  ofApp("auth_update_settings", "manage_auth_config update_settings", { require_email_verification: false }),
  ofApp("mail_read_outbox", "manage_auth_config read_outbox", { limit: 5 }, reads),
  ofApp("auth_configure_oauth", "manage_oauth configure", provider),
  ofApp("auth_get_oauth", "manage_oauth get", { provider: "own" }, reads),
  ofApp("auth_update_oauth", "manage_oauth update", { provider: "own", scopes: ["email"] }),
  ofApp("auth_delete_oauth", "manage_oauth delete", { provider: "own" }, destroys),
  ofApp(
    "auth_list_users",
    "manage_auth_users list",
    { limit: 10 },
    {
      ...reads,
      find: (output, found) => {
        found.userId = output.users[0].id;
      },
    },
  ),
  ofApp("auth_delete_user", "manage_auth_users delete", (found) => ({ user_id: found.userId }), destroys),
  ofApp("audit_query", "query_audit_logs", { limit: 5 }, reads),
  ofPlatform(
    "organizations_list",
    "manage_organizations list",
    {},
    {
      ...reads,
      find: (output, found) => {
        found.organizationId = output.organizations[0].id;
      },
    },
  ),
  ofPlatform(
    "organizations_get",
    "manage_organizations get",
    (found) => ({ organization_id: found.organizationId }),
    reads,
  ),
  ofPlatform("organizations_create", "manage_organizations create", { name: "Second" }, person),
  ofPlatform(
    "organizations_rename",
    "manage_organizations rename",
    (found) => ({ organization_id: found.organizationId, name: "Renamed" }),
    person,
  ),
  ofPlatform(
    "organizations_add_member",
    "manage_organizations add_member",
    (found) => ({
      organization_id: found.organizationId,
      email: `m${Math.random()}@example.com`,
      role: "viewer",
    }),
    {
      ...person,
      find: (output, found) => {
        found.accountId = output.account_id;
      },
    },
  ),
  ofPlatform(
    "organizations_list_members",
    "manage_organizations list_members",
    (found) => ({ organization_id: found.organizationId }),
    reads,
  ),
  ofPlatform(
    "organizations_change_role",
    "manage_organizations change_role",
    (found) => ({ organization_id: found.organizationId, account_id: found.accountId, role: "developer" }),
    person,
  ),
  ofPlatform(
    "organizations_remove_member",
    "manage_organizations remove_member",
    (found) => ({ organization_id: found.organizationId, account_id: found.accountId }),
    { ...person, ...destroys },
  ),
  ofPlatform(
    "keys_create",
    "manage_auth_config generate_service_key",
    { name: "spare" },
    {
      ...person,
      find: (output, found) => {
        found.keyId = output.id;
      },
    },
  ),
  ofPlatform("keys_list", "manage_api_keys list", {}, reads),
  ofPlatform("keys_revoke", "manage_api_keys revoke", (found) => ({ key_id: found.keyId }), destroys),
];
