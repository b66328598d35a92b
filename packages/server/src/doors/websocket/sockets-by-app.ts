/** The open connections of one kind on this node, by app. */
export class SocketsByApp<S extends { readonly appId: string }> {
  readonly #byApp = new Map<string, Set<S>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  countOf(appId: string): number {
    return this.#byApp.get(appId)?.size ?? 0;
  }

  add(socket: S): void {
    const sockets = this.#byApp.get(socket.appId) ?? new Set();
    this.#byApp.set(socket.appId, sockets.add(socket));
    this.#count += 1;
  }

  /** False if it was not among them. */
  remove(socket: S): boolean {
    const sockets = this.#byApp.get(socket.appId);
    if (!sockets?.delete(socket)) return false;
    this.#count -= 1;
    if (sockets.size === 0) this.#byApp.delete(socket.appId);
    return true;
  }

  /** The apps that have any, as they are now. */
  apps(): string[] {
    return [...this.#byApp.keys()];
  }

  /** Those of one app, as they are now. */
  of(appId: string): S[] {
    return [...(this.#byApp.get(appId) ?? [])];
  }

  /** Those of all apps. To be gone through at once; some may be removed meanwhile. */
  *all(): IterableIterator<S> {
    for (const sockets of this.#byApp.values()) yield* sockets;
  }

  /** Resolves when all are removed, at the latest after `withinMs`. */
  async emptied(withinMs: number): Promise<void> {
    const giveUpAt = performance.now() + withinMs;
    while (this.#count > 0 && performance.now() < giveUpAt)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
