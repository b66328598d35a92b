import { z } from "zod";
import { errors } from "../../kernel/errors.ts";
import type { Explainer } from "./explain.ts";
import { onlooker } from "./explain-operation.ts";
import type { Viewer } from "./subscriptions.ts";

/** The frame `{"type":"explain", table, record | key, as?, id?}`. */
export const explainFrameSchema = z.object({
  type: z.literal("explain"),
  table: z.string().min(1).max(63),
  id: z.string().min(1).max(64).optional(),
  key: z.union([z.string(), z.number(), z.record(z.string(), z.unknown())]).optional(),
  record: z.record(z.string(), z.unknown()).optional(),
  as: onlooker.optional(),
});

export type ExplainFrame = z.infer<typeof explainFrameSchema>;

/**
 * The `explained` frame for a connection, with the id of the question. A service connection may ask about anybody, and by
 * key; everybody else about themselves and about values they give: looking a row up would tell of rows they can't see.
 * @throws AmbitError AUTH_INSUFFICIENT_PERMISSIONS for what an end user may not ask; what `Explainer` throws
 */
export async function explainFrameFor(
  explainer: Explainer,
  appId: string,
  viewer: Viewer,
  { table, id, key, record, as }: ExplainFrame,
): Promise<{ readonly type: "explained"; readonly [field: string]: unknown }> {
  const head = { type: "explained" as const, ...(id === undefined ? {} : { id }) };
  if (viewer.role === "service") {
    const { role, user_id: userId, claims } = as ?? { role: "service" };
    return {
      ...head,
      ...(await explainer.explain(appId, { table, key, record, as: { role, userId, claims } })),
    };
  }
  if (as !== undefined || key !== undefined || record === undefined) {
    throw errors.AUTH_INSUFFICIENT_PERMISSIONS({
      message: "This connection may ask only about itself, and only with a record it gives: no as, no key.",
      remediation: "Send table and record, or ask with an API key.",
    });
  }
  return { ...head, ...(await explainer.explainOwn(appId, viewer, { table, record })) };
}
