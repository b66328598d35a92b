import { z } from "zod";
import type { LogStatus } from "./log-status.ts";

/** `LogStatus` on the wire. */
export const logStatus = z.object({
  asleep: z.boolean().describe("Nobody is connected to this node: the log is read from time to time only"),
  epoch: z.string().nullable().describe("Positions of another epoch mean nothing"),
  wal_status: z
    .string()
    .nullable()
    .describe("reserved or extended; unreserved: about to be lost; lost: clients that come back load afresh"),
  wal_kept_bytes: z.number().describe("Write-ahead log that Postgres keeps for clients that come back"),
  wal_safe_bytes: z
    .number()
    .nullable()
    .describe("What may still be written before that is lost; null without max_slot_wal_keep_size"),
  kept_since: z.string().nullable().describe("Since when about every node can tell what was missed"),
  behind_bytes: z.number().describe("Log that this node has not read yet"),
  window: z.object({
    from: z.string().nullable(),
    to: z.string(),
    oldest: z.string().nullable().describe("When the oldest transaction held in memory was committed"),
    transactions: z.number(),
    memory_bytes: z.number(),
  }),
  bounds: z.object({ window_ms: z.number(), wal_bytes: z.number(), memory_bytes: z.number() }),
  other_nodes: z.number(),
});

export const shownStatus = (status: LogStatus): z.infer<typeof logStatus> => ({
  asleep: status.asleep,
  epoch: status.epoch,
  wal_status: status.walStatus,
  wal_kept_bytes: status.keptBytes,
  wal_safe_bytes: status.safeBytes,
  kept_since: status.keptFrom.at?.toISOString() ?? null,
  behind_bytes: status.behindBytes,
  window: {
    from: status.window.from,
    to: status.window.to,
    oldest: status.window.oldest?.toISOString() ?? null,
    transactions: status.window.transactions,
    memory_bytes: status.window.memoryBytes,
  },
  bounds: {
    window_ms: status.bounds.ms,
    wal_bytes: status.bounds.walBytes,
    memory_bytes: status.bounds.memoryBytes,
  },
  other_nodes: status.otherNodes,
});
