import type { ErrorEntries } from "./reference.ts";
import { TOPICS } from "./topics.ts";

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}code{font-size:.95em}" +
  "h2{margin:2rem 0 .25rem;font-size:1.1rem}dt{font-weight:600}:target{background:#fff3c4}" +
  "@media(prefers-color-scheme:dark){body{background:#16181c;color:#e6e6e6}a{color:#8ab4ff}:target{background:#4a3f14}}";

/** Headers of the documentation's HTML pages: they hold no script and load nothing. */
export const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
};

/** Every error code with what it means and how to mend it; `documentation_url` of an error leads to its anchor. */
export function errorsPage(errors: ErrorEntries): string {
  const entries = Object.entries(errors).sort(([a], [b]) => (a < b ? -1 : 1));
  const articles = entries.map(
    ([code, { status, message, remediation }]) =>
      `<h2 id="${anchorOf(code)}"><code>${escapeHtml(code)}</code> (HTTP ${status})</h2><p>${escapeHtml(message)}</p>` +
      `<p>What to do: ${escapeHtml(remediation)}</p>`,
  );
  const intro =
    "<p>Every error has the body <code>{error: {code, message, remediation, documentation_url, details?}}</code>, over " +
    "HTTP, MCP and WebSocket alike. Codes are stable; messages may say more than is written here.</p>";
  return page("Errors", intro + articles.join("\n"));
}

/** The way into the documentation, for people. */
export function indexPage(publicUrl: string): string {
  const topics = Object.entries(TOPICS).map(
    ([topic, about]) => `<dt><a href="/docs/${topic}">${topic}</a></dt><dd>${escapeHtml(about)}</dd>`,
  );
  const links = [
    ["/llms.txt", "the guide for agents"],
    ["/openapi.json", "the OpenAPI 3.1 document of every route"],
    ["/docs/errors", "every error code and how to mend it"],
  ].map(([path, about]) => `<li><a href="${path}">${path}</a>: ${about}</li>`);
  return page(
    "Ambit",
    `<p>A backend that agents can run and people can govern. API: <code>${escapeHtml(publicUrl)}</code>, ` +
      `MCP: <code>${escapeHtml(publicUrl)}/mcp</code>.</p><ul>${links.join("")}</ul><dl>${topics.join("\n")}</dl>`,
  );
}

/** How an agent gets going, as plain text. */
export function introduction(publicUrl: string, version: string): string {
  return `# Ambit ${version}

Ambit is a backend that agents build and run: Postgres tables with row-level security, live changes over WebSocket,
end-user accounts, functions and durable objects, and a record of everything that was done.

## Connect
- MCP (Streamable HTTP, revisions 2024-11-05 to 2026-07-28): ${publicUrl}/mcp
  with the header \`Authorization: Bearer <API key>\`. \`${publicUrl}/mcp?tools=verbs\` has one tool per operation
  instead of the \`manage_*\` tools. From a program that speaks only stdio: \`ambit mcp\`.
- HTTP: ${publicUrl}, the same key. OpenAPI: ${publicUrl}/openapi.json
- Keys begin with \`bb_sk_\`. The first two were made at the first start: one for a person, one for an agent.

## First steps
1. \`init_app\` creates an app and gives its \`app_id\`; every further call names it.
2. \`manage_schema\` action \`apply\` declares tables.
3. \`manage_rls\` action \`create_user_isolation\` keeps each end user to rows of their own. Do this before end users
   get in.
4. \`manage_realtime\` action \`configure\` sends row changes to clients as they commit.
5. \`deploy_function\` runs code of yours; \`manage_durable_objects\` action \`deploy\` runs code that keeps state, one
   instance per room, user or agent, with WebSockets.

## When something fails
Every error has \`code\`, \`message\` and \`remediation\`; the last says what to do. All codes: ${publicUrl}/docs/errors
Successful answers may suggest next calls in \`_meta.next_actions\`.

## Topics
Ask the tool \`ambit_docs\` with \`topic\`, or with \`query\` to search; or GET ${publicUrl}/docs/<topic>
${Object.entries(TOPICS)
  .map(([topic, about]) => `- ${topic}: ${about}`)
  .join("\n")}
`;
}

const anchorOf = (code: string) => escapeHtml(code.toLowerCase().replaceAll("_", "-"));

function page(title: string, body: string): string {
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>` +
    `<meta name="viewport" content="width=device-width"><style>${STYLE}</style></head>` +
    `<body><h1>${escapeHtml(title)}</h1>${body}</body></html>\n`
  );
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
