import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { MemoryReader } from "../memory/service.ts";
import type { SubstrateContext } from "./context.ts";
import type { Proposer } from "./types.ts";

/** Who proposes when this key calls: a person's key is a human, any other an agent. Pure. */
export function proposerFrom(key: KeyPrincipal, label: string, appId: string | null): Proposer {
  return {
    kind: key.keyKind === "person" ? "human" : "agent",
    id: key.keyId,
    accountId: key.accountId,
    label,
    sourceAppId: appId,
    sourceRuleId: null,
  };
}

/** Who calls, and what of the memory the caller may see. Throws SUBSTRATE_NOT_LINKED for a key of an app that is not. */
export async function callerOf(
  { keys, links }: Pick<SubstrateContext, "keys" | "links">,
  key: KeyPrincipal,
): Promise<{ readonly proposer: Proposer; readonly reader: MemoryReader }> {
  const reader = await links.readerOf(key);
  const label = key.grant?.label ?? (await keys.nameOf(key.keyId)) ?? key.keyId;
  return { proposer: proposerFrom(key, label, reader.scope?.appId ?? null), reader };
}
