import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

export const keyErrors = defineErrors({
  INVALID_KEY_SCOPE: {
    status: 400,
    message: "key_scope must be `account` or `app`.",
    remediation:
      "Use key_scope: account for every app of the organisation, or app with target_app_id for one.",
  },
  TARGET_APP_REQUIRED: {
    status: 400,
    message: "A key bound to one app needs target_app_id.",
    remediation: "Add target_app_id, or use key_scope: account.",
  },
  TARGET_APP_NOT_ALLOWED: {
    status: 400,
    message: "target_app_id goes only with key_scope: app.",
    remediation: "Drop target_app_id, or set key_scope to app.",
  },
  RESERVED_SCOPE: {
    status: 400,
    message: "That scope can't be asked for by name.",
    remediation:
      "Use key_scope, target_app_id and read_only; additional_scopes takes ai:gateway and substrate.",
  },
  UNKNOWN_SCOPE: {
    status: 400,
    message: "There is no such scope.",
    remediation: "additional_scopes takes ai:gateway and substrate.",
  },
  NOT_A_MEMBER: {
    status: 403,
    message: "The caller's account is not a member of that organisation.",
    remediation: "Ask an admin of it to add you: POST /v1/organizations/<id>/members.",
  },
  QUOTA_KEYS: {
    status: 429,
    message: `An account has at most ${limits.keysPerAccount} live keys in one organisation.`,
    remediation: "Revoke keys that are not used any more: DELETE /api-keys/<id>.",
  },
});
