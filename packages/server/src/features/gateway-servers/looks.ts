import type { Platform } from "../../engines/platform.ts";
import type { SeenTool } from "./definitions.ts";
import { isDue, isForgettable, isFresh, type Watched } from "./due.ts";
import { limits } from "./limits.ts";
import { lookAt } from "./look.ts";
import type { Entry } from "./registry.ts";
import type { ToolPins } from "./tool-pins.ts";
import type { Upstreams } from "./upstreams.ts";

/** Looks at servers' tools, and when they were. */
export interface Looks {
  /** Looks at all tools of a server now, and remembers them. Those who ask at once share one look. */
  look(entry: Entry): Promise<readonly SeenTool[]>;
  /** Notes that a server is in use. Returns whether its tools were seen lately enough. */
  used(serverId: string): boolean;
  /** Notes that a server says that its tools have changed: calls wait for a new look from here on. */
  changed(serverId: string): void;
  forget(serverId: string): void;
  /** Servers to be looked at again now; each is named once for each time it is due. */
  due(): string[];
  /** Ends looks under way; resolves when they have ended. */
  stop(): Promise<void>;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function createLooks(
  { clock }: Pick<Platform, "clock">,
  { upstreams, pins }: { readonly upstreams: Upstreams; readonly pins: ToolPins },
): Looks {
  const watched = new Map<string, Mutable<Watched>>();
  const underWay = new Map<string, Promise<readonly SeenTool[]>>();
  const stopping = new AbortController();

  const of = (serverId: string) => {
    let found = watched.get(serverId);
    if (found === undefined) {
      found = { usedMs: 0, triedMs: 0, seenMs: 0, dirty: false };
      watched.set(serverId, found);
    }
    return found;
  };
  /** All tools at one moment: when they change while they are listed, they are listed again. */
  const listed = async (entry: Entry, at: Mutable<Watched>) => {
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(limits.lookMs)]);
    for (let more = limits.looksInARow; ; more--) {
      Object.assign(at, { triedMs: clock(), dirty: false });
      const tools = await lookAt(upstreams.get(entry), signal);
      if (!at.dirty || more <= 1) return tools;
    }
  };
  const begin = async (entry: Entry) => {
    const at = of(entry.row.id);
    const tools = await listed(entry, at);
    await pins.record(entry, { tools, complete: true });
    // What it says has changed while it was looked at may have changed after it was.
    if (!at.dirty) at.seenMs = at.triedMs;
    return tools;
  };

  return {
    look(entry) {
      const { id } = entry.row;
      const running = underWay.get(id);
      if (running !== undefined) return running;
      const started = begin(entry).finally(() => underWay.delete(id));
      underWay.set(id, started);
      return started;
    },
    used(serverId) {
      const at = of(serverId);
      const nowMs = clock();
      at.usedMs = nowMs;
      return isFresh(at, nowMs);
    },
    changed: (serverId) => void Object.assign(of(serverId), { dirty: true, seenMs: 0 }),
    forget: (serverId) => void watched.delete(serverId),
    due() {
      const nowMs = clock();
      const due: string[] = [];
      for (const [serverId, at] of watched) {
        if (underWay.size + due.length >= limits.looksAtOnce) break;
        if (isForgettable(at, nowMs)) watched.delete(serverId);
        if (underWay.has(serverId) || !isDue(at, nowMs)) continue;
        at.triedMs = nowMs;
        due.push(serverId);
      }
      return due;
    },
    async stop() {
      stopping.abort();
      await Promise.allSettled(underWay.values());
    },
  };
}
