import type { Log } from "../../kernel/log.ts";
import { limits } from "./limits.ts";

/** A node came or went. */
export interface NodeChange {
  readonly joined?: string;
  readonly left?: string;
}

export interface NodesPorts {
  readonly nodeId: string;
  readonly log: Log;
  /** Ids of all nodes that live. */
  look(): Promise<ReadonlySet<string>>;
  /** How long this node has had its own connection without a break, in milliseconds. */
  connectedMs(): number;
}

/** Who was seen, and how often in a row somebody has not been seen since. */
export type Known = ReadonlyMap<string, number>;

/**
 * What a look at the living nodes means. Pure. Who is missing once may be between two connections; who is missing
 * twice is gone, unless `patient`: whoever was cut off itself can't tell yet.
 */
export function afterLook(
  known: Known,
  seen: ReadonlySet<string>,
  patient: boolean,
): { known: Known; changes: NodeChange[] } {
  const next = new Map<string, number>();
  const changes: NodeChange[] = [];
  for (const [id, missed] of known) {
    if (seen.has(id)) next.set(id, 0);
    else if (patient || missed === 0) next.set(id, missed + 1);
    else changes.push({ left: id });
  }
  for (const id of seen) {
    if (known.has(id)) continue;
    next.set(id, 0);
    changes.push({ joined: id });
  }
  return { known: next, changes };
}

/** The other nodes on the database, looked at while this one is active and somebody wants to know. */
export class Nodes {
  readonly #ports: NodesPorts;
  readonly #listeners = new Set<(change: NodeChange) => void>();
  #known: Known = new Map();
  #active = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(ports: NodesPorts) {
    this.#ports = ports;
  }

  /** Ids of the other nodes that live, as last seen: at most about a second ago while this node is active. */
  others(): string[] {
    return [...this.#known.keys()];
  }

  /** Calls `listener` for each node that comes or goes, and for those known now. */
  onNodes(listener: (change: NodeChange) => void): void {
    this.#listeners.add(listener);
    for (const joined of this.#known.keys()) listener({ joined });
    this.#arm(0);
  }

  setActive(active: boolean): void {
    if (this.#active === active) return;
    this.#active = active;
    clearTimeout(this.#timer);
    this.#arm(0);
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#active || this.#listeners.size === 0) return;
    this.#timer = setTimeout(() => void this.#look(), ms).unref();
  }

  async #look(): Promise<void> {
    const { nodeId, look, connectedMs, log } = this.#ports;
    try {
      const seen = new Set(await look());
      // A look that does not see its own node is none.
      if (seen.delete(nodeId)) {
        const { known, changes } = afterLook(this.#known, seen, connectedMs() < limits.nodeReturnMs);
        this.#known = known;
        for (const change of changes) this.#tell(change);
      }
    } catch (error) {
      log.debug({ err: error }, "realtime: the other nodes could not be looked at");
    }
    this.#arm(limits.nodeLookMs);
  }

  #tell(change: NodeChange): void {
    for (const listener of this.#listeners) {
      try {
        listener(change);
      } catch (error) {
        this.#ports.log.error({ err: error }, "realtime: a listener for nodes failed");
      }
    }
  }
}
