import { z } from "zod";
import { keyOf } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import type { SubstrateStreamService } from "./service.ts";

/** `substrate_stream.ws_ticket`: how a browser opens the stream without showing a key. */
export function streamOperations(service: SubstrateStreamService): AnyOperation[] {
  return [
    platformOperation({
      name: "substrate_stream.ws_ticket",
      title: "Get a ticket for the live stream",
      summary:
        "A ticket that opens GET /v1/me/substrate/stream?ticket=… once, within a minute. The stream shows what the caller's key may see and closes when the key is revoked.",
      input: z.object({}),
      output: z.object({
        ticket: z.string().describe("wst_…, usable once"),
        expires_in: z.number().describe("Seconds"),
      }),
      right: "view",
      surface: "substrate",
      risk: "write",
      idempotent: false,
      errors: ["QUOTA_STREAM_TICKETS"],
      http: { method: "POST", path: "/v1/me/substrate/ws-ticket" },
      mcp: { tool: "manage_substrate", action: "ws_ticket" },
      async run(call) {
        const { keyId, organizationId, grant } = keyOf(call);
        if (grant !== undefined) {
          throw errors.AUTH_INSUFFICIENT_PERMISSIONS({
            message: "A grant of the gateway opens no stream of its own.",
            remediation: "Open the stream with a key of the organisation that has the scope substrate.",
          });
        }
        const { ticket, expiresInS } = await service.mintTicket({ kind: "key", keyId }, organizationId);
        return { ticket, expires_in: expiresInS };
      },
    }),
  ];
}
