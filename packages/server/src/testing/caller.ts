import type { AnyOperation } from "../kernel/operation.ts";
import { type AuditEntry, createPipeline } from "../kernel/pipeline.ts";
import type { KeyPrincipal } from "../kernel/principal.ts";

/** Calls operations through the real pipeline, as a key. */
export interface Caller {
  /** Runs the operation called `name`; `over` changes the key (an owner's, a person's, for the whole organisation). */
  call<T = Record<string, unknown>>(
    name: string,
    input?: Record<string, unknown>,
    over?: Partial<KeyPrincipal>,
  ): Promise<T>;
  /** What the calls left in the audit log. */
  readonly audited: AuditEntry[];
}

export function callerOf(
  operations: readonly AnyOperation[],
  key: Pick<KeyPrincipal, "organizationId"> & Partial<KeyPrincipal>,
  clock: () => number = Date.now,
): Caller {
  const audited: AuditEntry[] = [];
  const pipeline = createPipeline({
    findApp: async () => null,
    record: async (entry) => void audited.push(entry),
  });
  const principal: KeyPrincipal = {
    kind: "key",
    keyId: "00000000-0000-4000-8000-000000000001",
    keyKind: "person",
    accountId: "00000000-0000-4000-8000-000000000002",
    role: "owner",
    scopes: ["*", "substrate"],
    expiresAtMs: null,
    ...key,
  };
  return {
    audited,
    async call(name, input = {}, over = {}) {
      const operation = operations.find((each) => each.name === name);
      if (operation === undefined) throw new Error(`there is no operation ${name}`);
      const call = {
        principal: { ...principal, ...over },
        door: "http" as const,
        requestId: "test",
        ip: "127.0.0.1",
        userAgent: "test",
        nowMs: clock(),
        signal: new AbortController().signal,
      };
      const output = await pipeline(operation, call, input);
      // What goes out must be what was declared, and what JSON can hold.
      operation.output.parse(JSON.parse(JSON.stringify(output)));
      return output as never;
    },
  };
}
