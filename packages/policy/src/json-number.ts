/**
 * Whether a JSON number means the same after it was parsed and written again. False for what overflows (`1e999`), loses
 * digits (`9007199254740993`) or vanishes (`1e-400`). How it is written may change (`1.0` becomes `1`), and `-0` is 0.
 */
export function carriesExactly(token: string): boolean {
  const value = Number(token);
  if (!Number.isFinite(value)) return false;
  const given = decimalOf(token);
  const kept = decimalOf(String(value));
  return given.digits === kept.digits && given.exponent === kept.exponent && given.negative === kept.negative;
}

/** ± digits × 10^exponent, without zeros at either end; zero is no digits and has no sign. */
function decimalOf(token: string): { negative: boolean; digits: string; exponent: number } {
  const negative = token.startsWith("-");
  const [mantissa, power] = token.slice(negative ? 1 : 0).split(/e/i) as [string, string | undefined];
  const [whole, fraction = ""] = mantissa.split(".") as [string, string | undefined];
  const all = whole + fraction;
  let first = 0;
  while (first < all.length && all[first] === "0") first++;
  if (first === all.length) return { negative: false, digits: "", exponent: 0 };
  let end = all.length;
  while (all[end - 1] === "0") end--;
  const exponent = Number(power ?? 0) - fraction.length + (all.length - end);
  return { negative, digits: all.slice(first, end), exponent };
}
