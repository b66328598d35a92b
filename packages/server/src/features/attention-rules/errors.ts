import { defineErrors } from "../../kernel/errors.ts";

export const ruleErrors = defineErrors({
  RULE_CONDITION_INVALID: {
    status: 400,
    message: "The condition can't be used.",
    remediation: "Correct what the message names; the guide attention-rules lists the operators.",
  },
  RULE_CONDITION_FAILED: {
    status: 400,
    message: "The condition could not be evaluated.",
    remediation: "Correct the condition; try it with preview.",
  },
  RULE_TEMPLATE_INVALID: {
    status: 400,
    message: "The payload template can't be used.",
    remediation: "Write variables as {{name}} or {{a.b}}; try the rule with preview.",
  },
  RULE_VARIABLE_MISSING: {
    status: 400,
    message: "The payload template names a variable that is not there.",
    remediation: "Use a field that every match has, or leave rows without it out in the condition.",
  },
  RULE_CRON_INVALID: {
    status: 400,
    message: "trigger_cron can't be used.",
    remediation: "Use five fields in UTC: minute hour day-of-month month day-of-week, such as 0 9 * * 1-5.",
  },
  QUOTA_RULES: {
    status: 403,
    message: "The organisation has as many attention rules as it may have.",
    remediation: "Delete a rule that is not used any more.",
  },
});
