import type { Database } from "../../engines/postgres/database.ts";
import { type Entry, noServer } from "./registry.ts";
import { type Pins, selectPins } from "./tool-store.ts";

/** What is remembered of servers' tools, in the memory of this node; as late as the registry is. */
export interface PinMemory {
  /** From memory; undefined when a server's tools are not there, or not as they are now. */
  peek(entry: Entry): Pins | undefined;
  /** Reads them when they are not there. Throws RESOURCE_NOT_FOUND. */
  of(entry: Entry): Promise<Pins>;
  forget(serverId: string): void;
}

export function createPinMemory(database: Database): PinMemory {
  const memory = new Map<string, Pins>();
  const peek = ({ row }: Entry) => {
    const pins = memory.get(row.id);
    return pins !== undefined && pins.revision >= row.tools_revision ? pins : undefined;
  };
  return {
    peek,
    async of(entry) {
      const there = peek(entry);
      if (there !== undefined) return there;
      const { id } = entry.row;
      const pins = await selectPins(database, id);
      if (pins === null) throw noServer(id);
      // A read that began earlier may end later.
      if (pins.revision > (memory.get(id)?.revision ?? -1)) memory.set(id, pins);
      return memory.get(id)!;
    },
    forget: (serverId) => void memory.delete(serverId),
  };
}
