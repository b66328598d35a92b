import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { GatewayGrants } from "./service.ts";
import { grantId, grantShape, grantView, serverRef, shownShape, shownView } from "./wire.ts";

const tool = "manage_gateway";
const base = "/v1/gateway/grants";

/** Looking at grants; no answer has a token. */
export function grantReadOperations(
  { publicUrl }: Pick<Platform, "publicUrl">,
  service: GatewayGrants,
): AnyOperation[] {
  const reading = { right: "view", risk: "read", idempotent: true, errors: ["RESOURCE_NOT_FOUND"] } as const;
  return [
    platformOperation({
      ...reading,
      name: "gateway.list_grants",
      title: "List grants",
      summary:
        "The organisation's grants that were not revoked, newest first, a page at a time; those of one server with server_id. Tokens are never shown.",
      input: z.object({
        server_id: serverRef.optional(),
        limit: z.coerce.number().int().min(1).max(limits.listed).default(limits.defaultListed),
        before: grantId.optional().describe("next_before of the page before"),
      }),
      output: z.object({ grants: z.array(grantShape), next_before: z.string().nullable() }),
      http: [
        { method: "GET", path: base },
        { method: "GET", path: "/v1/gateway/servers/:server_id/grants" },
      ],
      mcp: { tool, action: "list_grants" },
      async run(call, input) {
        const { organizationId } = organizationKeyOf(call);
        const server =
          input.server_id === undefined ? null : await service.server(organizationId, input.server_id);
        const rows = await service.list(organizationId, {
          serverId: server?.id ?? null,
          before: input.before ?? null,
          limit: input.limit,
        });
        const at = { nowMs: call.nowMs, publicUrl: publicUrl() };
        return {
          grants: rows.map((row) => grantView(row, at)),
          next_before: rows.length < input.limit ? null : rows.at(-1)!.id,
        };
      },
    }),
    platformOperation({
      ...reading,
      name: "gateway.get_grant",
      title: "Get a grant",
      summary:
        "A grant, revoked or not: its policy, when it was used last, and how much of its limits is used in the present windows.",
      input: z.object({ grant_id: grantId }),
      output: shownShape,
      http: { method: "GET", path: `${base}/:grant_id` },
      mcp: { tool, action: "get_grant" },
      async run(call, { grant_id }) {
        const { organizationId } = organizationKeyOf(call);
        const at = { nowMs: call.nowMs, publicUrl: publicUrl() };
        return shownView(await service.show(organizationId, grant_id, call.nowMs), at);
      },
    }),
  ];
}
