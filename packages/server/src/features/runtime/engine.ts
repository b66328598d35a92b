import type { MakeEngine } from "./service.ts";

/** Loaded only when it is wanted: a machine that can't run it serves everything else. */
export const loadEngine: MakeEngine = async (ports, { config, log, clock, publicUrl }) => {
  const { createWorkerdEngine } = await import("../../engines/workerd/index.ts");
  const { dataDir, allowPrivateFetch } = config;
  return createWorkerdEngine({ ports, dataDir, allowPrivateFetch, log, clock, publicUrl });
};
