/** What the header `Prefer` (RFC 7240) asks for. Preferences nobody here knows are ignored, as that rule says. */
export interface Preferences {
  readonly minimal: boolean;
  readonly count: boolean;
  readonly resolution: "merge" | "ignore" | null;
}

export const NO_PREFERENCES: Preferences = Object.freeze({ minimal: false, count: false, resolution: null });

export function parsePrefer(header: string | undefined): Preferences {
  if (header === undefined || header === "") return NO_PREFERENCES;
  const asked = new Set(
    header
      .toLowerCase()
      .split(/[,;]/)
      .map((token) => token.replaceAll(/[\s"]/g, "")),
  );
  return {
    minimal: asked.has("return=minimal"),
    count: asked.has("count=exact"),
    resolution: asked.has("resolution=merge-duplicates")
      ? "merge"
      : asked.has("resolution=ignore-duplicates")
        ? "ignore"
        : null,
  };
}
