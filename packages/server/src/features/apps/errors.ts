import { defineErrors } from "../../kernel/errors.ts";

export const appErrors = defineErrors({
  APP_PROVISIONING: {
    status: 409,
    message: "The app is still being made.",
    remediation: "Ask GET /apps/<app_id>/status again in a second.",
  },
  APP_DELETING: {
    status: 410,
    message: "The app is being deleted.",
    remediation: "Make a new app: POST /init.",
  },
  QUOTA_APP_LIMIT: {
    status: 403,
    message: "The organisation has as many apps as it may have.",
    remediation: "Delete an app that is not used any more.",
  },
  SUBDOMAIN_TAKEN: {
    status: 409,
    message: "That subdomain is taken.",
    remediation: "Choose another, or leave it out to get a free one.",
  },
  REGION_UNKNOWN: {
    status: 400,
    message: "This server has one region.",
    remediation: "Leave region out; GET /v1/regions lists what there is.",
  },
  QUOTA_ENV_LIMIT: {
    status: 400,
    message: "The app has as many variables as it may have.",
    remediation: "Remove variables that are not used: set them to null.",
  },
  ENV_RESERVED: {
    status: 400,
    message: "Names that begin with BUTTERBASE_ or AMBIT_ are set by the server.",
    remediation: "Choose another name.",
  },
});
