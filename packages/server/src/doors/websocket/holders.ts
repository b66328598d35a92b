import type { Principal } from "../../kernel/principal.ts";

/** Whom connections are counted by: a user, a key, or for callers without a credential their address. */
export interface Holder {
  readonly holderKind: Principal["kind"];
  readonly holderId: string;
}

/** The holder of a connection. Pure. */
export function holderOf(principal: Principal, ip: string): Holder {
  switch (principal.kind) {
    case "user":
      return { holderKind: "user", holderId: principal.userId };
    case "key":
      return { holderKind: "key", holderId: principal.keyId };
    case "anonymous":
      return { holderKind: "anonymous", holderId: ip };
  }
}

/** How many connections each holder has, per app. */
export class HolderCounts {
  readonly #byApp = new Map<string, Record<Principal["kind"], Map<string, number>>>();

  countOf(appId: string, { holderKind, holderId }: Holder): number {
    return this.#byApp.get(appId)?.[holderKind].get(holderId) ?? 0;
  }

  add(appId: string, { holderKind, holderId }: Holder): void {
    const kinds = this.#byApp.get(appId) ?? { user: new Map(), key: new Map(), anonymous: new Map() };
    this.#byApp.set(appId, kinds);
    kinds[holderKind].set(holderId, (kinds[holderKind].get(holderId) ?? 0) + 1);
  }

  remove(appId: string, { holderKind, holderId }: Holder): void {
    const kinds = this.#byApp.get(appId);
    const left = (kinds?.[holderKind].get(holderId) ?? 0) - 1;
    if (kinds === undefined || left < 0) return;
    if (left > 0) kinds[holderKind].set(holderId, left);
    else kinds[holderKind].delete(holderId);
    if (kinds.user.size + kinds.key.size + kinds.anonymous.size === 0) this.#byApp.delete(appId);
  }
}
