import type { ToolDefinition } from "@ambit/policy";
import type { Platform } from "../../engines/platform.ts";
import { AmbitError } from "../../kernel/errors.ts";
import { readTools, type SeenTool } from "./definitions.ts";
import type { Looks } from "./looks.ts";
import { stateOf } from "./pins.ts";
import type { Entry, Registry } from "./registry.ts";
import type { ToolPins } from "./tool-pins.ts";
import { selectPresent } from "./tool-store.ts";
import type { BuiltinFace, GatewayServersService, ToolState } from "./types.ts";

/** A tool as it is now, and how it stands. */
export interface LookedAtTool {
  readonly definition: ToolDefinition;
  readonly state: ToolState;
}

export type ToolStates = Pick<GatewayServersService, "toolState" | "peekToolState" | "observe" | "tools"> & {
  /** Looks at a server's tools now. */
  scan(entry: Entry): Promise<readonly LookedAtTool[]>;
};

const NONE: ReadonlySet<string> = new Set();

/** How tools stand, by what was seen and what was approved. */
export function createToolStates(
  { database, metrics }: Pick<Platform, "database" | "metrics">,
  deps: {
    readonly registry: Registry;
    readonly looks: Looks;
    readonly pins: ToolPins;
    builtinTools(face: BuiltinFace): readonly ToolDefinition[];
  },
): ToolStates {
  const { registry, looks, pins, builtinTools } = deps;

  const counted = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error) => {
      if (error instanceof AmbitError && error.code === "QUOTA_GATEWAY_TOOLS") {
        metrics.limitsHit.inc({ limit: "gateway_tools" });
      }
      throw error;
    });
  const look = (entry: Entry) => counted(looks.look(entry));
  /** The server once its tools have been seen lately enough; as it is after the look. */
  const seen = async (serverId: string): Promise<Entry> => {
    const isFresh = looks.used(serverId);
    const entry = await registry.get(serverId);
    if (isFresh && entry.row.looked_at !== null) return entry;
    await look(entry);
    return registry.get(serverId);
  };
  /** Reads a page that passes, and remembers what is news in it. */
  const observed = async (serverId: string, tools: readonly ToolDefinition[]): Promise<SeenTool[]> => {
    const entry = await seen(serverId);
    const page = readTools(tools);
    await pins.record(entry, { tools: page, complete: false });
    return page;
  };
  const approvedOf = async (serverId: string) => {
    const { tools } = await pins.memory.of(await registry.get(serverId));
    return ({ name, hash }: SeenTool) => tools.get(name)?.approvedHash === hash;
  };

  return {
    async toolState({ id, transport }, tool) {
      if (transport === "builtin") return "approved";
      return stateOf((await pins.memory.of(await seen(id))).tools.get(tool));
    },
    peekToolState({ id, transport }, tool) {
      if (transport === "builtin") return "approved";
      const isFresh = looks.used(id);
      const entry = registry.peek(id);
      if (!isFresh || !entry || entry.row.looked_at === null) return undefined;
      const known = pins.memory.peek(entry);
      return known === undefined ? undefined : stateOf(known.tools.get(tool));
    },
    async observe({ id, transport }, tools) {
      if (transport === "builtin") return NONE;
      const page = await counted(observed(id, tools));
      const isApproved = await approvedOf(id);
      const changed = page.filter((each) => !isApproved(each));
      return changed.length === 0 ? NONE : new Set(changed.map(({ name }) => name));
    },
    async tools({ id, face }) {
      if (face !== null) return builtinTools(face);
      const entry = await registry.get(id);
      if (entry.row.looked_at === null) await look(entry);
      const rows = await selectPresent(database, id);
      return rows.map(({ present }) => JSON.parse(present) as ToolDefinition);
    },
    async scan(entry) {
      const { face } = entry.server;
      if (face !== null) {
        return builtinTools(face).map((definition) => ({ definition, state: "approved" as const }));
      }
      const tools = await look(entry);
      const isApproved = await approvedOf(entry.row.id);
      return tools.map((each) => ({
        definition: each.definition,
        state: isApproved(each) ? ("approved" as const) : ("changed" as const),
      }));
    },
  };
}
