import { createHash } from "node:crypto";
import { Html, html } from "./html.ts";
import type { Session } from "./session.ts";

/** A page, ready to be sent. */
export interface Page {
  readonly status: number;
  readonly body: Html;
  readonly headers?: Readonly<Record<string, string>>;
}

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --accent: #1d5fd1; --good: #14723b; --bad: #b3261e; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; overflow-wrap: anywhere; }
header, main { max-width: 60rem; margin: 0 auto; padding: .75rem 1.25rem; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: center; justify-content: space-between; border-bottom: 1px solid var(--line); }
header form { margin: 0; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 1rem 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
bdi { unicode-bidi: isolate; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
thead th { background: var(--soft); font-weight: 600; }
td.value bdi, .said bdi { white-space: pre-wrap; display: block; overflow: hidden; }
.name { width: 30%; }
.kind { color: #888; font-size: .8rem; }
.mark { background: #f6c34455; border-radius: 3px; color: inherit; font: 600 .75em ui-monospace, monospace; padding: 0 .2em; }
.box { border: 1px solid var(--line); border-left: .4rem solid var(--line); padding: .6rem 1rem; margin: 1rem 0; }
.box.good { border-left-color: var(--good); } .box.bad { border-left-color: var(--bad); }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
.facts dt { color: #888; } .facts dd { margin: 0; }
.actions { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.5rem 0; }
button, input, textarea { font: inherit; padding: .5rem .9rem; border: 1px solid var(--line); border-radius: .4rem; }
input, textarea { width: 100%; }
label { display: block; font-weight: 600; margin: 1rem 0 .25rem; }
button { cursor: pointer; background: var(--soft); color: inherit; }
button.yes { background: var(--good); border-color: var(--good); color: #fff; }
button.no { background: var(--bad); border-color: var(--bad); color: #fff; }
a { color: var(--accent); }
`;

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/**
 * The headers of every answer: nothing is loaded, run, framed, kept or sent on. The address goes to this origin alone,
 * so that browsers name the origin of its forms.
 */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cache-control": "no-store",
  "x-frame-options": "DENY",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** Where the forms of an approval's page go. */
export const pathOf = (approvalId: string, action?: "sign-in" | "sign-out" | "confirm" | "decide"): string =>
  `/approve/${approvalId}${action === undefined ? "" : `/${action}`}`;

/** The hidden field without which no form of a session counts. */
export const formToken = (session: Session): Html =>
  html`<input type="hidden" name="form_token" value="${session.formToken}">`;

/** Puts a page around `main`; with a session it says so, and lets its person end it. */
export function layout(
  title: string,
  main: Html,
  signedIn: { readonly session: Session; readonly approvalId: string; readonly as: string | null } | null,
): Html {
  return html`<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<header><strong>Ambit approvals</strong>${signedIn === null ? null : bar(signedIn)}</header>
<main>
${main}
</main>
</body>
</html>
`;
}

const bar = ({ session, approvalId, as }: { session: Session; approvalId: string; as: string | null }) =>
  html`<form method="post" action="${pathOf(approvalId, "sign-out")}">
${formToken(session)}
<span>Signed in${as === null ? null : html` as <bdi>${as}</bdi>`} until ${time(session.expiresAtMs)}</span>
<button>Sign out</button>
</form>`;

/** `2026-01-02 03:04 UTC`. Pure. */
export const time = (at: Date | number): string =>
  `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
