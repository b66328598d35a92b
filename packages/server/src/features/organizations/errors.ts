import { defineErrors } from "../../kernel/errors.ts";

export const organizationErrors = defineErrors({
  MEMBER_ALREADY_EXISTS: {
    status: 409,
    message: "That account is a member of this organisation already.",
    remediation: "Change its role instead: PATCH /v1/organizations/<id>/members/<account_id>.",
  },
  LAST_OWNER: {
    status: 409,
    message: "An organisation needs at least one owner.",
    remediation: "Make another member an owner first.",
  },
});
