import { z } from "zod";
import { keyOf } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { HttpReply } from "../../kernel/http-reply.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import type { SubstrateLinksService } from "../substrate-links/service.ts";
import type { SubstrateExportService } from "./service.ts";

/** `substrate_export.export`: a stream, and therefore for the HTTP door alone. */
export function exportOperations(
  service: SubstrateExportService,
  links: Pick<SubstrateLinksService, "readerOf">,
): AnyOperation[] {
  return [
    platformOperation({
      name: "substrate_export.export",
      title: "Export the substrate",
      summary:
        "Streams everything the organisation has in its substrate as lines of JSON, out of one snapshot: records with every version, actions, rules, snapshots, settings. The first line is the header, the last one counts the lines; without it the file was cut. Secrets stay here. Only an owner may do this.",
      input: z.object({}),
      output: z.any(),
      right: "own",
      surface: "substrate",
      personOnly: true,
      risk: "read",
      idempotent: true,
      errors: ["EXPORT_BUSY"],
      audit: { category: "admin", action: "invoke", resourceType: "substrate_export" },
      http: { method: "GET", path: "/v1/me/substrate/export" },
      async run(call) {
        const { organizationId, scope } = await links.readerOf(keyOf(call));
        if (scope !== null) {
          throw errors.AUTH_INSUFFICIENT_PERMISSIONS({
            message: "The key is bound to an app and sees only what the app's link shows.",
            remediation: "Use an owner's key that is bound to no app.",
          });
        }
        return new HttpReply({
          headers: {
            "content-type": "application/x-ndjson; charset=utf-8",
            "content-disposition": 'attachment; filename="substrate.ndjson"',
            "cache-control": "no-store",
          },
          body: service.export(organizationId),
        });
      },
    }),
  ];
}
