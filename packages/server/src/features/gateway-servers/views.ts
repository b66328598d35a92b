import { classify } from "@ambit/policy";
import { z } from "zod";
import type { ListedServer } from "./store.ts";
import type { LookedAtTool } from "./tool-states.ts";
import type { ChangeRow } from "./tool-store.ts";
import { TRANSPORTS } from "./types.ts";

/** A server as callers see it: of its credentials the names alone. */
export const serverShape = z.object({
  server_id: z.string(),
  name: z.string(),
  transport: z.enum(TRANSPORTS),
  url: z.string().nullable(),
  command: z.string().nullable(),
  args: z.array(z.string()),
  header_names: z.array(z.string()).describe("Headers it is sent; their values are never shown"),
  env_names: z.array(z.string()).describe("Variables it is started with; their values are never shown"),
  capture_values: z.boolean(),
  proxy_url: z.string(),
  looked_at: z.string().nullable().describe("When its tools were first looked at, and approved"),
  tools_to_review: z.number().int().describe("New or changed tools that nobody has approved"),
  created_at: z.string(),
  updated_at: z.string(),
});

/** The same with how the connection of this node is; null: there is none now. */
export const serverWithConnection = serverShape.extend({
  connection: z
    .object({
      reachable: z.boolean().nullable(),
      problem: z.string().nullable(),
      processes: z.number().int(),
    })
    .nullable(),
});

export const proxyUrl = (publicUrl: string, serverId: string): string => `${publicUrl}/mcp/${serverId}/`;

export const serverView = (row: ListedServer, publicUrl: string): z.input<typeof serverShape> => ({
  server_id: row.id,
  name: row.name,
  transport: row.transport,
  url: row.url,
  command: row.command,
  args: [...row.args],
  header_names: row.transport === "http" ? [...row.secret_names] : [],
  env_names: row.transport === "stdio" ? [...row.secret_names] : [],
  capture_values: row.capture_values,
  proxy_url: proxyUrl(publicUrl, row.id),
  looked_at: row.looked_at?.toISOString() ?? null,
  tools_to_review: row.waiting_tools,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});

const state = z.enum(["approved", "changed"]);
const evidence = z.array(z.object({ source: z.string(), text: z.string() }));

export const scannedTool = z.object({
  name: z.string(),
  class: z.string(),
  risk: z.string(),
  evidence,
  signals: z.array(z.object({ kind: z.string(), pointer: z.string(), why: z.string() })),
  actions: z
    .array(z.object({ action: z.string(), class: z.string(), risk: z.string(), evidence }))
    .optional(),
  action_field: z.string().optional(),
  annotation_mismatch: z.string().optional(),
  state,
});

export function scannedView({ definition, state: stands }: LookedAtTool): z.input<typeof scannedTool> {
  const { evidence: why, signals, actions, ...rest } = classify(definition);
  return {
    ...rest,
    evidence: [...why],
    signals: [...signals],
    ...(actions === undefined
      ? {}
      : { actions: actions.map((action) => ({ ...action, evidence: [...action.evidence] })) }),
    state: stands,
  };
}

const definition = z.looseObject({ name: z.string() });
type Definition = z.input<typeof definition>;

export const changeShape = z.object({
  tool: z.string(),
  approved: definition.nullable().describe("As it was approved; null: it is new"),
  approved_hash: z.string().nullable(),
  now: definition.describe("As it is now"),
  hash: z.string().describe("Of the definition as it is now; approving names it"),
  seen_at: z.string(),
  gone: z.boolean().describe("It was not in the list any more at the last look"),
});

/** What a scan says of a change: without the definitions. */
export const changeSummary = changeShape.omit({ approved: true, now: true });

export const changeView = (row: ChangeRow): z.input<typeof changeShape> => ({
  ...summaryView(row),
  approved: row.approved === null ? null : (JSON.parse(row.approved) as Definition),
  now: JSON.parse(row.present) as Definition,
});

export const summaryView = (row: Omit<ChangeRow, "approved" | "present">): z.input<typeof changeSummary> => ({
  tool: row.tool,
  approved_hash: row.approved_hash,
  hash: row.present_hash,
  seen_at: row.seen_at.toISOString(),
  gone: row.gone_at !== null,
});
