import type { ApprovalView } from "../../features/approvals/service.ts";
import { type Html, html } from "./html.ts";
import { formToken, layout, type Page, pathOf, time } from "./layout.ts";
import { previewSection } from "./preview.ts";
import type { Session } from "./session.ts";
import { fieldTable } from "./tables.ts";
import { visible } from "./visible.ts";

const KINDS: Readonly<Record<string, string>> = {
  substrate_action: "A change to the organisation's memory",
  tool_call: "A call of a tool",
};
const ASKERS: Readonly<Record<string, string>> = {
  human: "a person",
  agent: "an agent",
  app: "an app",
  rule: "a rule",
  grant: "a grant of the gateway",
};

/** The approval: who asks, what exactly, why, what it would do, what has been said, and two buttons. Pure. */
export function approvalPage(session: Session, view: ApprovalView, nowMs: number): Page {
  const { approval } = view;
  const waits = approval.status === "pending" && approval.expiresAt.getTime() > nowMs;
  const main = html`<p class="kind">${KINDS[approval.kind] ?? approval.kind}</p>
<h1><bdi>${visible(approval.title)}</bdi></h1>
${waits ? null : outcomeBox(view)}
${facts(view)}
<h2>What exactly</h2>
${fieldTable(approval.request)}
${view.preview === null ? null : previewSection(view.preview)}
${decisions(view)}
${waits ? choice(session, view) : null}`;
  const as = view.people.get(session.key.accountId) ?? null;
  return { status: 200, body: layout("Approval", main, { session, approvalId: approval.id, as }) };
}

/** Who asks, why, and until when. Pure. */
export function facts({ approval, fourEyes, deciders }: ApprovalView): Html {
  const { requester } = approval;
  const given = approval.decisions.filter(({ decision }) => decision === "approve").length;
  return html`<dl class="facts">
<dt>Who asks</dt><dd>${ASKERS[requester.type] ?? null}: <bdi>${visible(requester.label)}</bdi> <span class="kind"><bdi>${visible(requester.id)}</bdi></span></dd>
<dt>Why it waits</dt><dd class="said"><bdi>${visible(approval.reason)}</bdi></dd>
<dt>About</dt><dd><bdi>${visible(approval.subject)}</bdi></dd>
<dt>Asked</dt><dd>${time(approval.createdAt)}</dd>
<dt>Expires</dt><dd>${time(approval.expiresAt)}</dd>
<dt>Needs</dt><dd>${given} of ${approval.approvers} approvals given; ${deciders} members may decide${fourEyes ? "; nobody approves what was asked for on their own account" : null}</dd>
<dt>Id</dt><dd>${approval.id}</dd>
</dl>`;
}

function decisions({ approval, people }: ApprovalView): Html | null {
  if (approval.decisions.length === 0) return null;
  const lines = approval.decisions.map(
    (
      each,
    ) => html`<li class="said">${each.decision === "approve" ? "Approved" : "Rejected"} by ${visible(people.get(each.accountId) ?? each.accountId)} at ${time(each.at)}${each.reason === null ? null : html`: <bdi>${visible(each.reason)}</bdi>`}</li>
`,
  );
  return html`<h2>Decisions so far</h2>
<ul>
${lines}</ul>`;
}

function outcomeBox({ approval, defers }: ApprovalView): Html {
  const at = time(approval.decidedAt ?? approval.expiresAt);
  switch (approval.status) {
    case "approved":
      if (approval.failure !== null) {
        return html`<div class="box bad said" id="outcome"><strong>Approved at ${at}, but it failed.</strong>
<bdi>${visible(approval.failure.message)}</bdi> <span class="kind">${visible(approval.failure.code)}</span>
<p>Nothing of it was kept. Correct what is asked for and have it asked for again.</p></div>`;
      }
      if (defers) {
        return html`<div class="box good" id="outcome"><strong>Approved at ${at}.</strong> The call runs, once, when it is made again.</div>`;
      }
      return html`<div class="box good" id="outcome"><strong>Approved and executed at ${at}.</strong></div>
${approval.result === null ? null : html`<h2>What it gave</h2>${fieldTable(approval.result)}`}`;
    case "rejected":
      return html`<div class="box bad" id="outcome"><strong>Rejected at ${at}.</strong> Nothing was executed.</div>`;
    case "cancelled":
      return html`<div class="box bad" id="outcome"><strong>Taken back at ${at}.</strong> Nothing was executed.</div>`;
    default:
      return html`<div class="box bad" id="outcome"><strong>Expired at ${at}.</strong> Nobody decided in time, and nothing was executed.</div>`;
  }
}

function choice(session: Session, { approval, cannot, previewHash }: ApprovalView): Html {
  const button = (decision: "approve" | "reject", label: string, style: string) =>
    cannot[decision] === null
      ? html`<button class="${style}" name="decision" value="${decision}">${label}</button>`
      : null;
  const refusals = [...new Set([cannot.approve, cannot.reject])].filter((each) => each !== null);
  return html`<h2>Decide</h2>
${refusals.map((each) => html`<div class="box bad said"><bdi>${visible(each)}</bdi></div>`)}
<form class="actions" method="post" action="${pathOf(approval.id, "confirm")}">
${formToken(session)}
<input type="hidden" name="preview" value="${previewHash}">
${button("approve", "Approve…", "yes")}
${button("reject", "Reject…", "no")}
</form>`;
}
