import { HttpReply } from "../../kernel/http-reply.ts";

/** The page on which a browser ends that comes back from an authorization server. Plain HTML, no script. Pure. */
export function callbackPage(
  outcome: { readonly confirmation: string } | { readonly problem: string },
): HttpReply {
  const done = "confirmation" in outcome;
  const text = done
    ? `<p>One step is left, so that nobody else can connect your account to a server of theirs. If it was you who began this, finish it with your own key and this code:</p><pre>${outcome.confirmation}</pre><p>If it was not you, close this page and tell nobody the code.</p>`
    : `<p>${outcome.problem} Begin again from Ambit.</p>`;
  return new HttpReply({
    status: done ? 200 : 400,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "content-security-policy":
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
    },
    body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Ambit</title><style>body{font:16px/1.5 system-ui;max-width:36rem;margin:4rem auto;padding:0 1rem}pre{font-size:1.25rem;padding:.75rem;border:1px solid}</style><h1>${done ? "Almost connected" : "Not connected"}</h1>${text}</html>`,
  });
}
