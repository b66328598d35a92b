import type { JsonObject } from "@ambit/policy";
import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { decisionErrors } from "./errors.ts";
import {
  type Judged,
  judgeGiven,
  judgeOfDocument,
  judgeOfPolicy,
  judgeStored,
  ownJudges,
} from "./judging.ts";
import { limits } from "./limits.ts";
import type { GatewayDecisions } from "./service.ts";
import {
  between,
  callShape,
  documentField,
  grantId,
  judgedShape,
  msOf,
  neededDocument,
  serverRef,
  times,
} from "./wire.ts";

const tool = "manage_gateway";
const base = "/v1/gateway/policies";
const JUDGES = { right: "policy", risk: "read", idempotent: true, output: judgedShape } as const;

/** `gateway.simulate`, `gateway.replay`: neither changes anything, and neither shows a value. */
export function judgingOperations(service: GatewayDecisions): AnyOperation[] {
  return [simulateOperation(service), replayOperation(service)];
}

const simulateOperation = (service: GatewayDecisions): AnyOperation =>
  platformOperation({
    ...JUDGES,
    name: "gateway.simulate",
    title: "Simulate a policy",
    summary:
      "What a policy document would have decided: over the server's stored decisions, the oldest first from `from` on (default: the last day), or over calls you give. Answers which outcomes change. Counters begin empty and count at the calls' own times. Where values of arguments are not known, only what names decide is judged, the rest is undecidable; values that were kept are used for a person's key.",
    input: z.object({
      document: neededDocument,
      server_id: serverRef,
      grant_id: grantId,
      ...times,
      calls: z
        .array(callShape)
        .max(limits.simulatedCalls)
        .optional()
        .describe("Calls to judge instead of stored decisions"),
    }),
    errors: ["GATEWAY_DOCUMENT_INVALID", "RESOURCE_NOT_FOUND"],
    http: { method: "POST", path: `${base}/simulate` },
    mcp: { tool, action: "simulate" },
    async run(call, { document, server_id, calls, grant_id = null, from, to }) {
      const key = organizationKeyOf(call);
      const server = await service.servers.named(key.organizationId, server_id);
      const judge = judgeOfDocument(document);
      if (calls !== undefined) {
        const given = calls.map((each) => ({
          ...{ tool: each.tool, args: each.arguments as JsonObject },
          ...{ grantId: each.grant_id ?? null, sessionId: each.session_id ?? null },
          atMs: each.at === undefined ? call.nowMs : msOf(each.at),
        }));
        const { tally, results } = await judgeGiven(service.judging, server, judge, given);
        const answer = answerOf({ tally, isCut: false, last: null }, "used", null);
        return { ...answer, results: results.map((each) => ({ ...each })) };
      }
      // Whoever may try out any rule on values can find them out.
      const values = key.keyKind === "person" ? "used" : "unused";
      const range = rangeOf(call.nowMs, { from, to });
      const filter = { ...{ serverId: server.id, grantId: grant_id, tool: null, outcome: null }, ...range };
      const judged = await judgeStored(service.judging, server, {
        ...{ filter, judgeFor: async () => judge, values, signal: call.signal },
      });
      return answerOf(judged, values, range.fromMs);
    },
  });

const replayOperation = (service: GatewayDecisions): AnyOperation =>
  platformOperation({
    ...JUDGES,
    name: "gateway.replay",
    title: "Replay decisions",
    summary:
      "Judges the server's stored decisions again, the oldest first from `from` on (default: the last day), with the values of arguments that were kept: by the document you give, by a policy (its present version, or `version`), or by the very version that each decision names. Answers which outcomes change. Needs a server that keeps values.",
    input: z.object({
      server_id: serverRef,
      policy_id: z.uuid().optional().describe("A policy of the server"),
      version: z.coerce
        .number()
        .int()
        .min(1)
        .optional()
        .describe("Which version of it; default the one that holds"),
      document: documentField.optional(),
      grant_id: grantId,
      ...times,
    }),
    personOnly: true,
    errors: ["GATEWAY_VALUES_NOT_CAPTURED", "GATEWAY_DOCUMENT_INVALID", "RESOURCE_NOT_FOUND"],
    http: { method: "POST", path: `${base}/replay` },
    mcp: { tool, action: "replay" },
    async run(call, { server_id, policy_id, version = null, document, grant_id = null, from, to }) {
      if (document !== undefined && policy_id !== undefined) throw oneOfThem("document", "policy_id");
      if (version !== null && policy_id === undefined) throw oneOfThem("version", "policy_id");
      const { organizationId } = organizationKeyOf(call);
      const server = await service.servers.named(organizationId, server_id);
      const { judging } = service;
      const one =
        document !== undefined
          ? judgeOfDocument(document)
          : policy_id !== undefined
            ? await judgeOfPolicy(judging.policies, server, policy_id, version)
            : null;
      const judgeFor = one === null ? ownJudges(judging.policies, server) : async () => one;
      const range = rangeOf(call.nowMs, { from, to });
      const filter = { ...{ serverId: server.id, grantId: grant_id, tool: null, outcome: null }, ...range };
      const judged = await judgeStored(judging, server, {
        filter,
        judgeFor,
        values: "needed",
        signal: call.signal,
      });
      const { tally } = judged;
      if (tally.judged === 0 && (tally.skipped.without_values > 0 || !server.capturesValues))
        throw decisionErrors.GATEWAY_VALUES_NOT_CAPTURED();
      return answerOf(judged, "needed", range.fromMs);
    },
  });

const oneOfThem = (a: string, b: string) =>
  errors.VALIDATION_INVALID_SCHEMA({
    message: a === "version" ? "version needs policy_id." : `Give ${a} or ${b}, not both.`,
  });

/** From the last day on, where nothing is said. */
function rangeOf(nowMs: number, asked: { from?: string | undefined; to?: string | undefined }) {
  const { fromMs, toMs } = between(asked);
  return { fromMs: fromMs ?? Math.max(0, (toMs ?? nowMs) - limits.judgedMs), toMs };
}

function answerOf(
  { tally, isCut, last }: Judged,
  values: "unused" | "used" | "needed",
  fromMs: number | null,
): z.input<typeof judgedShape> {
  const counts = tally.counts();
  return {
    judged: counts.judged,
    changed: [...tally.changed],
    summary: {
      ...counts,
      outcomes: [...counts.outcomes],
      undecidable_decisions: [...tally.undecidable],
      values,
      from: fromMs === null ? null : new Date(fromMs).toISOString(),
      judged_until: last?.at ?? null,
      truncated: isCut,
    },
  };
}
