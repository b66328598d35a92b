/** A month's first day (UTC) as `2026-11-01`. Pure. */
export function monthOf(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 7)}-01`;
}

/** The first millisecond of the month after. Pure. */
export function nextMonthMs(atMs: number): number {
  const now = new Date(atMs);
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
}

/**
 * Shares of the process's CPU time, by the time its units had requests under way: workerd does not tell more. Requests
 * count instead when none took measurable time. The shares add up to the whole. Pure.
 */
export function apportionCpu(
  cpuMs: number,
  units: readonly { readonly requests: number; readonly wallMs: number }[],
): number[] {
  const wall = units.reduce((sum, unit) => sum + unit.wallMs, 0);
  const requests = units.reduce((sum, unit) => sum + unit.requests, 0);
  return units.map((unit) => {
    if (wall > 0) return (cpuMs * unit.wallMs) / wall;
    return requests > 0 ? (cpuMs * unit.requests) / requests : cpuMs / units.length;
  });
}
