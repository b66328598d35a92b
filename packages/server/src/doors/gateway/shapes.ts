import type { JsonObject } from "@ambit/policy";

/** How a reader that takes no notice of case, as some do, sees a key. */
export const folded = (key: string): string => key.toUpperCase().toLowerCase();

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
