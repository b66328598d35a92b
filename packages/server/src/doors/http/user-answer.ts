/** What would speak for the whole host name, which on the API's own belongs to every app. */
const ORIGIN_WIDE = new Set([
  "set-cookie",
  "set-cookie2",
  "clear-site-data",
  "service-worker-allowed",
  "strict-transport-security",
  "public-key-pins",
  "public-key-pins-report-only",
  "expect-ct",
  "alt-svc",
  "origin-agent-cluster",
  "nel",
  "report-to",
  "reporting-endpoints",
  "access-control-allow-credentials",
  "accept-ch",
  "critical-ch",
  "use-as-dictionary",
  "sec-session-registration",
  "www-authenticate",
]);

/**
 * The headers of user code's answer as the caller gets them. On any host name but the app's own, the answer can't act
 * for the origin: sandboxed, without cookies. Pure; flat lists.
 */
export function userAnswerHeaders(
  answer: readonly string[],
  options: { readonly requestId: string; readonly ownHost: boolean },
): string[] {
  const headers: string[] = [];
  for (let i = 0; i + 1 < answer.length; i += 2) {
    const name = answer[i]!.toLowerCase();
    if (name === "x-request-id" || name === "x-content-type-options" || name.startsWith("x-ambit-")) continue;
    if (!options.ownHost && ORIGIN_WIDE.has(name)) continue;
    headers.push(answer[i]!, answer[i + 1]!);
  }
  if (!options.ownHost) headers.push("Content-Security-Policy", "sandbox");
  headers.push("X-Content-Type-Options", "nosniff", "X-Request-Id", options.requestId);
  return headers;
}
