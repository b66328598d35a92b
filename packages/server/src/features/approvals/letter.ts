import type { Letter } from "../mail/service.ts";
import type { Approval } from "./types.ts";

/** Characters that are not seen, or change how others are seen: in a notice each is a plain mark. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;
/** A dot inside a word, or what follows a scheme: mail programs make links of both. */
const LINKS = /(?<=[\p{L}\p{N}])\.(?=[\p{L}\p{N}])|:(?=\/\/)/gu;

/**
 * Text that others wrote, for one line of a mail: nothing hidden in it, and nothing a mail program makes a link of, so
 * that the one link in the mail is Ambit's own. What is cut off is marked. Pure.
 */
export function inert(text: string, maxChars: number): string {
  const line = text.replace(/\s+/gu, " ").replace(UNSEEN, "\ufffd").replace(LINKS, "[$&]").trim();
  const characters = [...line];
  return characters.length <= maxChars ? line : `${characters.slice(0, maxChars - 1).join("")}…`;
}

const WHO: Record<Approval["requester"]["type"], string> = {
  human: "the person",
  agent: "the agent",
  app: "the app",
  rule: "the rule",
  grant: "the grant",
};

/** The mail that tells a member that something waits. Holds no arguments (nor why it
 * waits: a rule quotes them), and no secret but where to decide, since nothing takes a mail back. Pure. */
export function requestedLetter(approval: Approval, url: string): Letter {
  const { requester, expiresAt } = approval;
  return {
    subject: `Waits for your decision: ${inert(approval.title, 120)}`,
    text: [
      "Something waits for a person's decision.",
      "",
      `What:  ${inert(approval.title, 300)}`,
      `Who:   ${WHO[requester.type]} "${inert(requester.label, 100)}"`,
      `Until: ${expiresAt.toISOString().slice(0, 16).replace("T", " ")} UTC`,
      "",
      `See what exactly, and decide: ${url}`,
      "",
      "You get this because you may decide on approvals, or because an owner named this address.",
      "",
    ].join("\n"),
  };
}
