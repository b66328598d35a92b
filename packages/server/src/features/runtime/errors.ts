import { defineErrors } from "../../kernel/errors.ts";

/** What can be wrong with where and whether an app's code runs. */
export const runtimeErrors = defineErrors({
  RUNTIME_ELSEWHERE: {
    status: 503,
    message: "The app's Durable Objects are kept on another node.",
    remediation:
      "Route the app's requests to that node; or stop it and move its data directory, with workerd/node-id in it, here.",
  },
  VALIDATION_INVALID_HOST: {
    status: 400,
    message: "An entry is not a host name.",
    remediation:
      "Use names like api.example.com, or *.example.com for everything below a name; no scheme, port or path.",
  },
});
