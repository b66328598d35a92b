import { Resolver } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { type Address, isPublicAddress } from "../../../kernel/guarded-fetch.ts";
import { limits } from "./limits.ts";
import { notPublic } from "./rules.ts";

/** User code wanted to go where it may not. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

export type Resolve = (hostname: string) => Promise<readonly Address[]>;

/**
 * Asks the name servers, not the system: names of the operator's own (`/etc/hosts`, mDNS) are none of user code's
 * business, and the system's lookups share a few threads with all of Ambit's file work.
 */
export function systemResolve(): Resolve {
  const resolver = new Resolver({ timeout: limits.lookupMs / 2, tries: 2 });
  return async (hostname) => {
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const of = (result: PromiseSettledResult<string[]>, family: number): Address[] =>
      result.status === "fulfilled" ? result.value.map((address) => ({ address, family })) : [];
    const found = [...of(v4, 4), ...of(v6, 6)];
    if (found.length === 0 && v4.status === "rejected") throw v4.reason;
    return found;
  };
}

/**
 * A lookup for sockets that gives only public addresses. The socket connects to exactly what was checked here, so a name
 * server that answers differently the next time gains nothing.
 */
export function checkedLookup(resolve: Resolve): LookupFunction {
  const turn = takeTurns(limits.lookups);
  return (hostname, options, callback) => {
    const fail = (error: unknown) => callback(error as NodeJS.ErrnoException, "", 0);
    turn(() => withinTime(resolve(hostname), hostname)).then((addresses) => {
      // One private address among public ones is refused too: which of them is called is not ours to decide.
      if (!addresses.every(({ address }) => isPublicAddress(address))) {
        return fail(new RefusedError(notPublic(hostname)));
      }
      const usable = addresses.filter(({ family }) => !options.family || options.family === family);
      const first = usable[0];
      if (first === undefined) fail(new Error(`${hostname} has no address.`));
      else if (options.all) callback(null, [...usable]);
      else callback(null, first.address, first.family);
    }, fail);
  };
}

async function withinTime<T>(work: Promise<T>, hostname: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${hostname} could not be looked up in time.`)),
      limits.lookupMs,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** At most `most` at once; the others wait for their turn. */
function takeTurns(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) await new Promise<void>((go) => waiting.push(go));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
