import type { HomeRow } from "./store.ts";

export type HomeDecision = "ours" | "elsewhere" | "no_app";

/** Who keeps the actors, from the row as it stands after this node's try to claim it. Pure. */
export function decideHome(row: HomeRow | null, nodeId: string): HomeDecision {
  if (row === null) return "no_app";
  return row.node_id === nodeId ? "ours" : "elsewhere";
}
