import { type ApprovalView, approvalLimits } from "../../features/approvals/service.ts";
import { facts } from "./approval-page.ts";
import { html } from "./html.ts";
import { formToken, layout, type Page, pathOf } from "./layout.ts";
import { previewSection } from "./preview.ts";
import type { Session } from "./session.ts";
import { fieldTable } from "./tables.ts";
import { visible } from "./visible.ts";

/** Asks once more: everything that is decided on, and one button that decides. Pure. */
export function confirmPage(
  session: Session,
  view: ApprovalView,
  decision: "approve" | "reject",
  token: string,
): Page {
  const { approval } = view;
  const yes = decision === "approve";
  const left = approval.approvers - approval.decisions.length;
  const consequence = !yes
    ? "It ends here, and nothing is executed."
    : left > 1
      ? `It then waits for ${left - 1} more.`
      : view.defers
        ? "It then runs, once, when it is called again just so."
        : "It is executed at once.";
  const main = html`<h1>${yes ? "Approve" : "Reject"} this?</h1>
<p><bdi>${visible(approval.title)}</bdi></p>
<div class="box ${yes ? "good" : "bad"}">${consequence} Good for one use, within two minutes.</div>
<form method="post" action="${pathOf(approval.id, "decide")}">
${formToken(session)}
<input type="hidden" name="confirmation" value="${token}">
${yes ? null : reasonField()}
<div class="actions">
<button class="${yes ? "yes" : "no"}">${yes ? "Yes, approve" : "Yes, reject"}</button>
<a href="${pathOf(approval.id)}">Back, without deciding</a>
</div>
</form>
${facts(view)}
<h2>What exactly</h2>
${fieldTable(approval.request)}
${view.preview === null ? null : previewSection(view.preview)}`;
  const as = view.people.get(session.key.accountId) ?? null;
  return { status: 200, body: layout("Confirm", main, { session, approvalId: approval.id, as }) };
}

const reasonField = () =>
  html`<label for="reason">Why not (whoever asks is told)</label>
<textarea id="reason" name="reason" rows="3" maxlength="${approvalLimits.reasonChars}" required></textarea>`;
