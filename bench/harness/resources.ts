/**
 * Throws when the bench was interrupted: what would be started now, nobody would stop. Call right before starting
 * something, with no await in between.
 */
export function ensureOpen(resources: AsyncDisposableStack): void {
  if (resources.disposed) throw new Error("the bench was interrupted");
}
