import type { Queryable } from "../../engines/postgres/database.ts";
import { selectPublications, selectUncaptured } from "./capture-look.ts";
import { DEFINITIONS } from "./publications.ts";

const PUBLICATIONS = Object.keys(DEFINITIONS).length;

export interface CaptureCheckPorts {
  readonly database: Queryable;
  /** Makes the publications that are missing. */
  publish(): Promise<void>;
  /** Changes may have gone by unseen, of any table. */
  onGap(): void;
  /** The app has a table that is switched on and not captured. */
  onUncaptured(appId: string): void;
}

/**
 * Looks whether what is switched on is what the log carries. Changes of the schema that Ambit makes say so in the log;
 * what was done to tables and publications past it, or while nothing was read, is found here.
 */
export class CaptureCheck {
  readonly #ports: CaptureCheckPorts;
  #publications: string | null = null;

  constructor(ports: CaptureCheckPorts) {
    this.#ports = ports;
  }

  async look(): Promise<void> {
    const { database, publish, onGap, onUncaptured } = this.#ports;
    let publications = await selectPublications(database);
    if (publications.length < PUBLICATIONS) {
      await publish();
      publications = await selectPublications(database);
    }
    for (const appId of await selectUncaptured(database)) onUncaptured(appId);
    const before = this.#publications;
    this.#publications = publications.join();
    if (before !== null && before !== this.#publications) onGap();
  }
}
