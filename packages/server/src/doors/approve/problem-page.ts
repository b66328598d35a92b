import type { AmbitError } from "../../kernel/errors.ts";
import { html } from "./html.ts";
import { layout, type Page, pathOf } from "./layout.ts";
import type { Session } from "./session.ts";
import { visible } from "./visible.ts";

/** What went wrong and what to do about it; `approvalId` leads back, when it may be one. Pure. */
export function problemPage(error: AmbitError, session: Session | null, approvalId: string | null): Page {
  const signedIn = session === null || approvalId === null ? null : { session, approvalId, as: null };
  if (error.code === "RESOURCE_NOT_FOUND") {
    const main = html`<h1>There is nothing here</h1>
<p>There is no such approval, or it is not your organisation's. Check the address, or sign in with another key.</p>`;
    return { status: 404, body: layout("Not found", main, signedIn) };
  }
  const main = html`<h1>That did not work</h1>
<div class="box bad said" id="problem"><bdi>${visible(error.message)}</bdi></div>
<p><bdi>${visible(error.remediation)}</bdi></p>
${approvalId === null ? null : html`<p><a href="${pathOf(approvalId)}">Back to the approval</a></p>`}`;
  return { status: error.status, body: layout("Problem", main, signedIn), headers: error.headers };
}
