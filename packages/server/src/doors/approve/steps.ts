import { timingSafeEqual } from "node:crypto";
import type { ApprovalView } from "../../features/approvals/service.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { approvalPage } from "./approval-page.ts";
import { confirmPage } from "./confirm-page.ts";
import { type Confirmation, createConfirmations, type Intent } from "./confirmation.ts";
import type { ApprovePageDeps } from "./deps.ts";
import { approveErrors } from "./errors.ts";
import { html } from "./html.ts";
import { type Page, pathOf } from "./layout.ts";
import { problemPage } from "./problem-page.ts";
import { createSessions, type Session, type Sessions } from "./session.ts";
import { personOf } from "./sign-in.ts";
import { signInPage } from "./sign-in-page.ts";

/** One request to the page; it came to the right place, and from it. */
export interface Visit {
  readonly approvalId: string;
  readonly cookies: string | undefined;
  readonly ip: string;
  readonly form: Readonly<Record<string, string>>;
}

/** What comes of a visit. */
export type Step = (visit: Visit) => Promise<Page>;

/** What a signed-in person does on the page. */
type SignedInStep = (visit: Visit, session: Session) => Promise<Page>;

export function createSteps(
  deps: ApprovePageDeps,
): Record<"show" | "signIn" | "signOut" | "confirm" | "decide", Step> {
  const { approvals, clock } = deps;
  const sessions = createSessions({ ...deps, tokens: approvals.tokens });
  const confirmations = createConfirmations(deps.secrets, clock);
  const view = (session: Session, id: string) => approvals.view(session.key, id, clock());

  return {
    show: signedIn(sessions, false, async ({ approvalId }, session) =>
      approvalPage(session, await view(session, approvalId), clock()),
    ),
    async signIn({ approvalId, form, ip }) {
      try {
        const key = await personOf(deps, form.key, ip);
        return seeOther(approvalId, sessions.start(key));
      } catch (error) {
        if (error instanceof AmbitError && error.status < 500) return signInPage(approvalId, error);
        throw error;
      }
    },
    async signOut(visit) {
      const session = await sessions.read(visit.cookies);
      if (session === null || !holdsToken(visit, session)) return seeOther(visit.approvalId);
      return seeOther(visit.approvalId, await sessions.end(session));
    },
    confirm: signedIn(sessions, true, async ({ approvalId, form }, session) => {
      const { decision } = form;
      if (decision !== "approve" && decision !== "reject") throw errors.REQUEST_ERROR();
      const seen = await view(session, approvalId);
      // Somebody was quicker: the page says who and what.
      if (seen.previewHash === null) return seeOther(approvalId);
      if (seen.previewHash !== form.preview) throw approveErrors.APPROVE_PREVIEW_CHANGED();
      refuseUnable(seen, decision);
      const intent: Intent = { approvalId, decision, previewHash: seen.previewHash };
      return confirmPage(session, seen, decision, confirmations.make(session.id, intent));
    }),
    decide: signedIn(sessions, true, async ({ approvalId, form }, session) => {
      const confirmation = confirmations.open(session.id, approvalId, form.confirmation ?? "");
      if (confirmation === null || !(await use(confirmation))) throw approveErrors.APPROVE_CONFIRMATION();
      const { decision, previewHash } = confirmation;
      const reason = form.reason?.trim() || null;
      if (decision === "reject" && reason === null) {
        throw errors.VALIDATION_INVALID_SCHEMA({
          message: "A rejection needs a reason: whoever asks is told.",
          remediation: "Go back, choose Reject again, and say why.",
        });
      }
      await approvals.decide(
        session.key,
        { id: approvalId },
        { decision, reason, ...(decision === "approve" ? { previewHash } : {}) },
        clock(),
      );
      return seeOther(approvalId);
    }),
  };

  /** Used up before anything is done with it: after an error it has to be confirmed anew. */
  function use({ id, expiresAtMs }: Confirmation): Promise<boolean> {
    return approvals.tokens.spend(id, expiresAtMs);
  }
}

/** A step for whoever is signed in; others are asked to sign in. With `form`, only a form of this session counts. */
function signedIn(sessions: Sessions, form: boolean, step: SignedInStep): Step {
  return async (visit) => {
    const session = await sessions.read(visit.cookies);
    if (session === null) {
      return signInPage(visit.approvalId, form ? approveErrors.APPROVE_SIGNED_OUT() : null);
    }
    try {
      if (form && !holdsToken(visit, session)) throw approveErrors.APPROVE_FOREIGN_FORM();
      return await step(visit, session);
    } catch (error) {
      if (error instanceof AmbitError && error.status < 500)
        return problemPage(error, session, visit.approvalId);
      throw error;
    }
  };
}

function holdsToken({ form }: Visit, session: Session): boolean {
  const [given, own] = [Buffer.from(form.form_token ?? ""), Buffer.from(session.formToken)];
  return given.length === own.length && timingSafeEqual(given, own);
}

function refuseUnable({ cannot }: ApprovalView, decision: "approve" | "reject"): void {
  const reason = cannot[decision];
  if (reason !== null) throw errors.AUTH_INSUFFICIENT_PERMISSIONS({ message: reason });
}

/** Back to the approval, by GET, so that nothing is sent twice. */
const seeOther = (approvalId: string, cookie?: string): Page => ({
  status: 303,
  body: html``,
  headers: { location: pathOf(approvalId), ...(cookie === undefined ? {} : { "set-cookie": cookie }) },
});
