import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { HttpReply } from "../../kernel/http-reply.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { DecisionFilter } from "./log.ts";
import type { GatewayDecisions } from "./service.ts";
import { decisionShape, filterFields, filterOf } from "./wire.ts";

const tool = "manage_gateway";
const base = "/v1/gateway/decisions";
const READS = { right: "view", risk: "read", idempotent: true } as const;

type Asked = Parameters<typeof filterOf>[0] & { server_id?: string | undefined };

/** `gateway.list_decisions`, `gateway.export_decisions`. */
export function decisionOperations(service: GatewayDecisions): AnyOperation[] {
  // Decisions outlive their server: any UUID may be asked for, and only the organisation's own are found.
  const asked = async (organizationId: string, input: Asked): Promise<DecisionFilter> => {
    const { server_id = null } = input;
    const serverId =
      server_id === "ambit" ? (await service.servers.named(organizationId, "ambit")).id : server_id;
    return { ...filterOf(input), serverId };
  };
  return [
    platformOperation({
      ...READS,
      name: "gateway.list_decisions",
      title: "List gateway decisions",
      summary:
        "What the gateway decided, newest first: who called what, the outcome, the rule it rests on, how the call ended. Arguments are named, their values never shown. Continue with before: next_before until that is null; a page may be empty and not the last.",
      input: z.object({
        ...filterFields,
        limit: z.coerce.number().int().min(1).max(limits.listed).default(limits.defaultListed),
      }),
      output: z.object({ decisions: z.array(decisionShape), next_before: z.string().nullable() }),
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: base },
      mcp: { tool, action: "list_decisions" },
      async run(call, { before = null, limit, ...input }) {
        const { organizationId } = organizationKeyOf(call);
        const filter = await asked(organizationId, input);
        const { decisions, nextBefore } = await service.list(organizationId, filter, before, limit);
        return { decisions, next_before: nextBefore };
      },
    }),
    platformOperation({
      ...READS,
      name: "gateway.export_decisions",
      title: "Export gateway decisions",
      summary: `The decisions that fit as lines of JSON, newest first. Over HTTP a stream of all of them, whose last line counts the others: without it the file was cut. Over MCP ${limits.exportedAtOnce} at most; continue with before: next_before until that is null.`,
      input: z.object(filterFields),
      output: z.object({
        ndjson: z.string().describe("One decision a line"),
        decisions: z.number().int().describe("How many"),
        next_before: z.string().nullable(),
      }),
      errors: ["RESOURCE_NOT_FOUND", "GATEWAY_EXPORT_BUSY"],
      http: { method: "GET", path: `${base}/export` },
      mcp: { tool, action: "export_decisions" },
      async run(call, { before = null, ...input }) {
        const { organizationId } = organizationKeyOf(call);
        const filter = await asked(organizationId, input);
        // The HTTP door sends a reply as it is; its body is a stream.
        if (call.door === "http") return streamed(service, organizationId, filter, before) as never;
        const { decisions, nextBefore } = await service.list(
          ...([organizationId, filter, before, limits.exportedAtOnce] as const),
        );
        const ndjson = decisions.map((each) => `${JSON.stringify(each)}\n`).join("");
        return { ndjson, decisions: decisions.length, next_before: nextBefore };
      },
    }),
  ];
}

const streamed = (
  service: GatewayDecisions,
  organizationId: string,
  filter: DecisionFilter,
  before: string | null,
): HttpReply =>
  new HttpReply({
    headers: {
      "content-type": "application/x-ndjson; charset=utf-8",
      "content-disposition": 'attachment; filename="decisions.ndjson"',
      "cache-control": "no-store",
    },
    body: service.exports.stream(service.all(organizationId, filter, before)),
  });
