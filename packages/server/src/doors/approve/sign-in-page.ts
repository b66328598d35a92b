import type { AmbitError } from "../../kernel/errors.ts";
import { html } from "./html.ts";
import { layout, type Page, pathOf } from "./layout.ts";
import { limits } from "./limits.ts";
import { visible } from "./visible.ts";

/** Asks for a person's key; with `problem`, why the last one was not taken. Says nothing of what waits. Pure. */
export function signInPage(approvalId: string, problem: AmbitError | null): Page {
  const main = html`<h1>Sign in to decide</h1>
${problem === null ? null : problemBox(problem)}
<form method="post" action="${pathOf(approvalId, "sign-in")}">
<label for="key">Your key</label>
<input id="key" name="key" type="password" autocomplete="off" spellcheck="false" maxlength="${limits.keyChars}" required autofocus>
<p>A key of kind person, of a member who may decide. Agents' keys are not taken here. You stay signed in for a quarter of an hour, in this browser.</p>
<button class="yes">Sign in</button>
</form>
<p>Signed in already? <a href="${pathOf(approvalId)}">Go on</a></p>`;
  return {
    status: problem?.status ?? 200,
    body: layout("Sign in", main, null),
    headers: problem?.headers ?? {},
  };
}

const problemBox = ({ message, remediation }: AmbitError) =>
  html`<div class="box bad said" id="problem"><bdi>${visible(message)}</bdi> <bdi>${visible(remediation)}</bdi></div>`;
