import { defineErrors } from "../../kernel/errors.ts";

/** What can go wrong between Ambit and user code. */
export const workerdErrors = defineErrors({
  RUNTIME_UNAVAILABLE: {
    status: 503,
    message: "The app's code is not running right now.",
    remediation: "Try again in a moment; the developer finds the reason in the logs.",
  },
  RUNTIME_TIMEOUT: {
    status: 504,
    message: "The app's code did not answer within its time limit.",
    remediation: "Ask for less at once; the developer can raise timeoutMs.",
  },
  RUNTIME_STOPPED: {
    status: 502,
    message: "The app's code was stopped while it handled the request.",
    remediation: "Look up what was stored before trying again; the developer finds the reason in the logs.",
  },
  RUNTIME_BUSY: {
    status: 429,
    message: "The app has too many requests under way.",
    remediation: "Wait a moment and try again.",
  },
  INSPECTION_FAILED: {
    status: 400,
    message: "The instance could not be looked into.",
    remediation: "Look at the statement, the key or the value that was sent.",
  },
  RUNTIME_UNSUPPORTED: {
    status: 501,
    message: "Durable Objects and functions can't run on this machine.",
    remediation: "Run Ambit on Linux x64 or arm64 with glibc 2.27 or newer.",
  },
});
