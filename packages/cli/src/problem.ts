import { SdkHttpError } from "@modelcontextprotocol/client";
import { limits } from "./limits.ts";

/** Something the user can mend; shown as one line, without a stack. */
export class Problem extends Error {}

/** The one line to show for whatever went wrong while talking to the server at `url`. */
export function explain(error: unknown, url: string): string {
  if (error instanceof Problem) return error.message;
  if (error instanceof SdkHttpError) return explainAnswer(error.status, textOf(error));
  const code = causeOf(error);
  if (code !== null)
    return `No Ambit answers at ${url} (${code}). Start it with npm start, or name another with --url.`;
  return oneLine(error instanceof Error ? error.message : String(error));
}

/** The one line to show for an HTTP answer that is an error: the server's own message and remediation. */
export function explainAnswer(status: number | undefined, text: string | null): string {
  const body = parse(text) as { error?: { message?: unknown; remediation?: unknown } } | null;
  const { message, remediation } = body?.error ?? {};
  if (typeof message !== "string") return oneLine(`The server answered with HTTP ${status}. ${text ?? ""}`);
  return oneLine(typeof remediation === "string" ? `${message} ${remediation}` : message);
}

/** The body of an HTTP error as the SDK kept it. */
export function textOf(error: SdkHttpError): string | null {
  const { text } = error.data as { text?: unknown };
  return typeof text === "string" ? text : null;
}

/** The parsed JSON, or null for what is none. */
export function parse(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}

/** Why no connection came about, e.g. ECONNREFUSED; null when that is not what went wrong. */
function causeOf(error: unknown): string | null {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (typeof code === "string" && /^(E[A-Z]+|UND_ERR_[A-Z_]+)$/.test(code)) return code;
    if (at.name === "TimeoutError") return "no answer in time";
    if (at.message === "fetch failed" && at.cause instanceof Error && !("code" in at.cause))
      return at.cause.message;
  }
  return null;
}

const oneLine = (text: string) => text.replace(/\s+/g, " ").trim().slice(0, limits.shownChars);
