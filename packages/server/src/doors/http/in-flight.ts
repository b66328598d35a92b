/** Counts what is under way per app, up to a bound. */
export interface InFlight {
  /** False when the app has as many under way as it may have. */
  enter(appId: string): boolean;
  leave(appId: string): void;
}

export function createInFlight(most: number): InFlight {
  const counts = new Map<string, number>();
  return {
    enter(appId) {
      const count = counts.get(appId) ?? 0;
      if (count >= most) return false;
      counts.set(appId, count + 1);
      return true;
    },
    leave(appId) {
      const count = counts.get(appId) ?? 0;
      if (count > 1) counts.set(appId, count - 1);
      else counts.delete(appId);
    },
  };
}
