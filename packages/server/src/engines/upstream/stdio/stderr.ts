/** The last of what a program said on standard error, without what must not be shown. */
export interface StderrTail {
  push(chunk: Buffer): void;
  /** Whole lines, the newest last; secrets replaced. */
  text(): string;
}

/** Values shorter than this are words of every text, and no secrets. */
const SHORTEST_SECRET = 4;
const MASK = "[hidden]";

export function createStderrTail(maxBytes: number, secrets: readonly string[]): StderrTail {
  let tail = Buffer.alloc(0);
  let cut = false;
  return {
    push(chunk) {
      const both = Buffer.concat([tail, chunk]);
      cut ||= both.length > maxBytes;
      tail = Buffer.from(both.subarray(Math.max(0, both.length - maxBytes)));
    },
    text() {
      const all = tail.toString("utf8");
      // Half of a line may begin in the middle of a secret, which then is not found.
      const whole = cut ? all.slice(all.indexOf("\n") + 1 || all.length) : all;
      return redacted(whole, secrets).trim();
    },
  };
}

/** What of a program's registration must never be shown: values of its environment, passwords in its arguments. Pure. */
export function secretsOf(env: Readonly<Record<string, string>>, args: readonly string[]): string[] {
  const found = [...Object.values(env), ...args.flatMap(passwordsIn)].flatMap((value) => [
    value,
    // A value of many lines may be cut anywhere.
    ...value.split(/\r?\n/),
  ]);
  const long = [...new Set(found)].filter((value) => value.trim().length >= SHORTEST_SECRET);
  // The longest first: one may be a part of another.
  return long.sort((a, b) => b.length - a.length);
}

function passwordsIn(arg: string): string[] {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]*:([^@\s]+)@/i.exec(arg)?.[1];
  if (password === undefined) return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

/** The text without the secrets. Pure. */
export function redacted(text: string, secrets: readonly string[]): string {
  return secrets.reduce((left, secret) => left.replaceAll(secret, MASK), text);
}
