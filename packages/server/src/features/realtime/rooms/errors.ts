import { defineErrors } from "../../../kernel/errors.ts";

/** What changing the rules of rooms and channels can refuse. */
export const roomErrors = defineErrors({
  REALTIME_RULE_UNSAFE: {
    status: 400,
    message: "The rule uses something that rules may not use.",
    remediation:
      "Write one boolean expression over channel, current_user_id(), literals and subqueries on the app's own tables.",
  },
  REALTIME_RULE_INVALID: {
    status: 400,
    message: "The rule can't be evaluated.",
    remediation:
      "Write one boolean SQL expression; channel is the name as text. manage_schema (action get) shows the tables and columns.",
  },
  REALTIME_PATTERN_INVALID: {
    status: 400,
    message: "That is no pattern for names of rooms and channels.",
    remediation: "Give a whole name, or its beginning and one * at the end, for example room:*.",
  },
  REALTIME_RULE_NOT_FOUND: {
    status: 404,
    message: "There is no rule with that pattern.",
    remediation: "List the rules: manage_realtime action list_rules.",
  },
  QUOTA_REALTIME_RULES: {
    status: 400,
    message: "The app has as many rules as it may have.",
    remediation: "Join rules under a pattern with *, or delete rules that are not needed.",
  },
});
