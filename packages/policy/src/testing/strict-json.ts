/**
 * A JSON reader that says whether a text is fit to be judged, written the long way round and sharing nothing with
 * `readJson`: recursive descent over the grammar, keys kept in a list, numbers compared as fractions.
 */
export function isStrictJson(text: string, maxDepth: number): boolean {
  let at = 0;
  try {
    value(1);
    space();
    return at === text.length;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }

  function space() {
    while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  }
  function take(expected: RegExp): string {
    expected.lastIndex = at;
    const found = expected.exec(text);
    if (found === null) throw new Refused();
    at += found[0].length;
    return found[0];
  }
  function value(depth: number): void {
    space();
    if (text[at] === "{" || text[at] === "[") {
      if (depth > maxDepth) throw new Refused();
      if (text[at] === "{") object(depth);
      else list(depth);
    } else if (text[at] === '"') {
      string();
    } else if (/[-\d]/.test(text[at] ?? "")) {
      number(take(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y));
    } else {
      take(/true|false|null/y);
    }
  }
  function object(depth: number): void {
    const keys: string[] = [];
    at++;
    space();
    if (text[at] === "}") {
      at++;
      return;
    }
    for (;;) {
      space();
      const key = string();
      if (keys.includes(key)) throw new Refused();
      keys.push(key);
      space();
      take(/:/y);
      value(depth + 1);
      space();
      if (take(/[,}]/y) === "}") return;
    }
  }
  function list(depth: number): void {
    at++;
    space();
    if (text[at] === "]") {
      at++;
      return;
    }
    for (;;) {
      value(depth + 1);
      space();
      if (take(/[,\]]/y) === "]") return;
    }
  }
  function string(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings
    const raw = take(/"(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*"/y);
    const decoded = JSON.parse(raw) as string;
    const units = [...raw.matchAll(/\\u(d[89a-f]..)/gi)];
    if (!decoded.isWellFormed() || (units.length > 0 && !raw.isWellFormed())) throw new Refused();
    return decoded;
  }
}

class Refused extends Error {}

/** Throws unless what JSON.stringify makes of the parsed number is the same fraction. */
function number(token: string): void {
  const parsed = JSON.stringify(JSON.parse(token) as number);
  if (parsed === "null") throw new Refused();
  const [a, b] = [fractionOf(token), fractionOf(parsed)];
  if (a.over * b.under !== b.over * a.under) throw new Refused();
}

function fractionOf(token: string): { over: bigint; under: bigint } {
  const [, sign, whole, fraction = "", power = "0"] = /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]?\d+))?$/i.exec(token)!;
  const exponent = Number(power) - fraction.length;
  const digits = BigInt(whole! + fraction) * (sign === "-" ? -1n : 1n);
  return exponent >= 0
    ? { over: digits * 10n ** BigInt(exponent), under: 1n }
    : { over: digits, under: 10n ** BigInt(-exponent) };
}
