import { limits } from "./limits.ts";
import type { ReadMessage } from "./message-text.ts";

/** Headers whose values authenticate. Others, a region or a version, may well be what an answer is about. */
const AUTHENTICATES = /auth|cookie|credential|key|passw|secret|session|signature|token/i;
/** What stands in their place. */
const REMOVED = "[credential]";

/**
 * What of a server's own headers must not come back in its messages: values that authenticate, also without the scheme
 * before them, as they are and as JSON writes them. Short ones are left out: they are found in texts by chance. Pure.
 */
export function secretsOf(headers: Readonly<Record<string, string>>): readonly string[] {
  const found = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    if (!AUTHENTICATES.test(name)) continue;
    for (const secret of [value, value.slice(value.indexOf(" ") + 1)]) {
      if (secret.length < limits.secretChars) continue;
      found.add(secret);
      found.add(JSON.stringify(secret).slice(1, -1));
    }
  }
  return [...found].sort((one, other) => other.length - one.length);
}

/** The message without them; null when it is none without them. Pure. */
export function withoutSecrets(read: ReadMessage, secrets: readonly string[]): ReadMessage | null {
  let { text } = read;
  for (const secret of secrets) if (text.includes(secret)) text = text.replaceAll(secret, REMOVED);
  if (text === read.text) return read;
  try {
    return { text, message: JSON.parse(text) };
  } catch {
    return null;
  }
}
