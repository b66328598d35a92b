import { defineErrors } from "../../kernel/errors.ts";
import { limits } from "./limits.ts";

export const policyErrors = defineErrors({
  POLICY_INVALID: {
    status: 400,
    message: "The policy document is not valid.",
    remediation:
      "Correct everything named in details (JSON pointers); POST /v1/gateway/policies/validate checks without saving.",
  },
  GATEWAY_POLICY_CHANGED: {
    status: 409,
    message: "The policy has been changed since the version you expected.",
    remediation:
      "Read it again (GET /v1/gateway/policies/<id>), apply your change to that, and send its version.",
  },
  GATEWAY_POLICY_IN_USE: {
    status: 409,
    message: "A grant has this policy.",
    remediation: "Attach another policy to the grants in details.grants, or revoke them; then delete it.",
  },
  GATEWAY_POLICY_OF_ANOTHER_SERVER: {
    status: 409,
    message: "The policy is for another server.",
    remediation: "Use a policy of the grant's own server: GET /v1/gateway/servers/<id>/policies.",
  },
  GATEWAY_POLICY_BROKEN: {
    status: 500,
    message: "The stored policy can't be used: it is not what was written, or no longer valid.",
    remediation: "Write it again: PUT /v1/gateway/policies/<id>. Until then every call it is for is refused.",
  },
  QUOTA_GATEWAY_POLICIES: {
    status: 403,
    message: `A server has at most ${limits.policiesPerServer} policies.`,
    remediation: "Delete policies that no grant has.",
  },
  QUOTA_GATEWAY_POLICY_VERSIONS: {
    status: 403,
    message: `A policy has at most ${limits.versions} versions.`,
    remediation: "Make a new policy of the document and attach that one.",
  },
});
