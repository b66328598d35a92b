import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { CheckConstraint } from "./capabilities/capability.ts";
import { memoryErrors } from "./errors.ts";
import { createMemoryReads } from "./read/index.ts";
import type { MemoryReader, MemoryService } from "./service.ts";
import { createMemoryWriter } from "./write/index.ts";

export interface MemoryDependencies {
  /** What a key may see of its organisation's memory. */
  readerOf(key: KeyPrincipal): Promise<MemoryReader>;
  /** What a principle's constraint lacks, null when it can be applied. Default: every constraint is taken. */
  readonly checkConstraint?: CheckConstraint;
}

/**
 * What the organisation knows: written by capabilities, each change by an action; read by search, lists and as_of.
 * Started, it counts the words of what is written.
 */
export function createMemory(
  platform: Platform,
  { readerOf, checkConstraint = () => null }: MemoryDependencies,
): { readonly feature: Feature; readonly service: MemoryService } {
  const { operations, errors, start, stop, ...reads } = createMemoryReads(platform, { readerOf });
  return {
    feature: { name: "memory", operations, errors: { ...memoryErrors.entries, ...errors }, start, stop },
    service: { ...reads, ...createMemoryWriter(platform, checkConstraint) },
  };
}
