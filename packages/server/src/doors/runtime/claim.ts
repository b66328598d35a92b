import type { FunctionsService } from "../../features/functions/service.ts";
import type { Authority } from "./authority.ts";
import { limits } from "./limits.ts";
import { wrong } from "./question.ts";

/** `POST /idempotency/claim {key, scope?, ttl_seconds?}` → `{claimed}`. The scope is the unit's name unless given. */
export async function claim(
  functions: FunctionsService,
  { appId, unit }: Authority,
  question: Record<string, unknown>,
): Promise<{ claimed: boolean }> {
  const key = textOf("key", question.key);
  const scope = question.scope == null ? unit : textOf("scope", question.scope);
  const ttlS = question.ttl_seconds ?? limits.defaultTtlS;
  if (typeof ttlS !== "number" || !(ttlS >= 1 && ttlS <= limits.maxTtlS))
    wrong(`ttlSeconds is a number from 1 to ${limits.maxTtlS}.`);
  return { claimed: await functions.claim({ appId, scope, key, ttlMs: ttlS * 1_000 }) };
}

function textOf(name: string, value: unknown): string {
  if (typeof value !== "string" || value === "" || value.length > limits.keyChars || value.includes("\0"))
    wrong(`${name} is a text of 1 to ${limits.keyChars} characters.`);
  return value;
}
