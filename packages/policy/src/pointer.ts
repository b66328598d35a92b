/** One step of a JSON pointer (RFC 6901): `~` becomes `~0`, `/` becomes `~1`. */
export function escapeStep(text: string): string {
  if (!text.includes("~") && !text.includes("/")) return text;
  return text.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The pointer to what `steps` lead to; "" is the whole. */
export function pointerOf(steps: readonly (string | number)[]): string {
  let pointer = "";
  for (const step of steps) pointer += `/${typeof step === "number" ? step : escapeStep(step)}`;
  return pointer;
}
