export { appUser, type OsUser } from "./app-user.ts";
export {
  CONTROL_FD,
  FILTER_FD,
  type Inside,
  insideOf,
  type Job,
  LOCKED_EXIT_CODE,
  type SandboxPlan,
  sandboxCommand,
} from "./command.ts";
export { type Host, readHost } from "./host.ts";
export { probeSandbox, userOf } from "./probe.ts";
export { reportOf } from "./report.ts";
