import { mapStack } from "../../engines/workerd/source/index.ts";
import type { ProgramKind } from "../../engines/workerd/types.ts";
import { createLookup } from "../../kernel/cache.ts";
import { limits } from "./limits.ts";
import type { LogEntry, ProgramSource } from "./types.ts";

/** A frame of emitted JavaScript. */
const FRAME = /^\s*at .*\.js:\d+:\d+\)?$/m;

/** Brings stacks in log entries back to the lines the user wrote. */
export interface SourceMaps {
  /** Whether the entry has a stack to map; most have none. */
  concerns(entry: LogEntry): boolean;
  /** The entry with its stacks mapped, or as it was when the source is not known. Never rejects. */
  map(entry: LogEntry): Promise<LogEntry>;
}

export function createSourceMaps(sourceOf: (kind: ProgramKind) => ProgramSource | undefined): SourceMaps {
  const lookup = createLookup(
    async (key) => {
      const [appId, kind, unit] = JSON.parse(key) as [string, ProgramKind, string];
      return (await sourceOf(kind)?.sourceMap(appId, unit)) ?? null;
    },
    { maxAgeMs: limits.sourceMapMs, maxEntries: limits.sourceMaps },
  );
  return {
    concerns: ({ error, lines }) =>
      (error?.stack ?? null) !== null || lines.some(({ message }) => hasFrame(message)),
    async map(entry) {
      try {
        const source = await lookup.get(JSON.stringify([entry.appId, entry.kind, entry.unit]));
        if (source === null) return entry;
        const mapped = (stack: string) => mapStack(stack, source.sourceMap, source.fileName);
        const { error } = entry;
        return {
          ...entry,
          error: error === null || error.stack === null ? error : { ...error, stack: mapped(error.stack) },
          lines: entry.lines.map((line) =>
            hasFrame(line.message) ? { ...line, message: mapped(line.message) } : line,
          ),
        };
      } catch {
        return entry;
      }
    },
  };
}

function hasFrame(message: string): boolean {
  return message.includes("\n") && FRAME.test(message);
}
