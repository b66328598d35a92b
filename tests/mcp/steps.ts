import type { Step } from "./step.ts";
import { appSteps, lastSteps } from "./steps/apps.ts";
import { codeSteps } from "./steps/code.ts";
import { gatewaySteps } from "./steps/gateway.ts";
import { approvalSteps, outboxSteps, ruleSteps } from "./steps/inbox.ts";
import { ledgerSteps, linkSteps } from "./steps/ledger.ts";
import { memorySteps } from "./steps/memory.ts";
import { peopleSteps } from "./steps/people.ts";
import { substrateSteps } from "./steps/substrate.ts";

/** Every operation that has an MCP form, in an order in which each succeeds. */
export const STEPS: readonly Step[] = [
  ...appSteps,
  ...codeSteps,
  ...peopleSteps,
  ...linkSteps,
  ...substrateSteps,
  ...memorySteps,
  ...approvalSteps,
  ...ruleSteps,
  ...outboxSteps,
  ...ledgerSteps,
  ...gatewaySteps,
  ...lastSteps,
];
