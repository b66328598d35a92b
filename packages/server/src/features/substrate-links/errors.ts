import { defineErrors } from "../../kernel/errors.ts";

export const linkErrors = defineErrors({
  SUBSTRATE_NOT_LINKED: {
    status: 403,
    message: "The app is not linked to its organisation's substrate.",
    remediation:
      "Have a person link it: POST /v1/me/apps/<app_id>/substrate-link, or manage_app action link_substrate.",
  },
  SUBSTRATE_OTHER_ORGANIZATION: {
    status: 403,
    message: "An app can be linked to the substrate of its own organisation only.",
    remediation: "Leave organization_id out.",
  },
});
