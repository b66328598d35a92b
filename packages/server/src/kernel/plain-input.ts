/**
 * Why the value can't be taken over as it is, or null. Postgres holds no null character and no half of a surrogate
 * pair in any text, and JSON nested without bound exhausts the stack of whoever reads it. Pure; keys count as texts.
 */
export function inputProblem(value: unknown, depth: number): string | null {
  if (typeof value === "string") {
    if (value.includes("\0")) return "a text contains a null character";
    return value.isWellFormed() ? null : "a text contains half of a surrogate pair, which is no Unicode";
  }
  if (typeof value !== "object" || value === null) return null;
  if (depth === 0) return "values are nested too deep";
  for (const [key, part] of Object.entries(value)) {
    const problem = inputProblem(key, depth) ?? inputProblem(part, depth - 1);
    if (problem !== null) return problem;
  }
  return null;
}
