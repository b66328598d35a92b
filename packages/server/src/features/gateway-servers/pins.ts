import type { SeenTool } from "./definitions.ts";
import type { ToolState } from "./types.ts";

/** What is remembered of a tool. */
export interface Pin {
  /** Null: nobody has approved it. */
  readonly approvedHash: string | null;
  readonly presentHash: string;
  /** When it was found missing, in milliseconds since the epoch; null: it is there. */
  readonly goneAtMs: number | null;
}

/** How a tool stands. Unknown to us is not approved: nobody has seen it. Pure. */
export const stateOf = (pin: Pin | undefined): ToolState =>
  pin !== undefined && pin.approvedHash === pin.presentHash ? "approved" : "changed";

/** What a list of tools adds to what is remembered. */
export interface PinChanges {
  /** Approved, because this is the first look at the server. */
  readonly pinned: readonly SeenTool[];
  /** New, or different from what was approved and from what was seen last. */
  readonly changed: readonly SeenTool[];
  /** Were different, and are again what was approved. */
  readonly restored: readonly SeenTool[];
  /** Were gone, and are back as they were. */
  readonly back: readonly string[];
  /** Not in the list any more. */
  readonly gone: readonly string[];
  /** Gone for long, and approved by nobody. */
  readonly forgotten: readonly string[];
}

/** A list of tools that was seen. */
export interface Look {
  readonly tools: readonly SeenTool[];
  /** Whether these are all tools of the server; else they are a page of them, or what one client sees. */
  readonly complete: boolean;
  /** Whether the server was never looked at before. */
  readonly first: boolean;
}

/** What is to be written down after a look. Pure. `forgetBeforeMs`: see `forgotten`. */
export function comparePins(
  known: ReadonlyMap<string, Pin>,
  { tools, complete, first }: Look,
  forgetBeforeMs: number,
): PinChanges {
  if (first) return { ...NOTHING, pinned: tools };
  const changed: SeenTool[] = [];
  const restored: SeenTool[] = [];
  const back: string[] = [];
  for (const tool of tools) {
    const pin = known.get(tool.name);
    if (pin?.presentHash !== tool.hash) (pin?.approvedHash === tool.hash ? restored : changed).push(tool);
    else if (pin.goneAtMs !== null) back.push(tool.name);
  }
  if (!complete) return { ...NOTHING, changed, restored, back };
  const listed = new Set(tools.map(({ name }) => name));
  const missing = [...known].filter(([name]) => !listed.has(name));
  return {
    ...{ pinned: [], changed, restored, back },
    gone: missing.filter(([, pin]) => pin.goneAtMs === null).map(([name]) => name),
    forgotten: missing
      .filter(
        ([, pin]) => pin.approvedHash === null && pin.goneAtMs !== null && pin.goneAtMs < forgetBeforeMs,
      )
      .map(([name]) => name),
  };
}

const NOTHING: PinChanges = { pinned: [], changed: [], restored: [], back: [], gone: [], forgotten: [] };

/** Whether nothing is to be written down. Pure. */
export const isNothing = (changes: PinChanges): boolean =>
  Object.values(changes).every((list: readonly unknown[]) => list.length === 0);
