import type { Json, JsonObject } from "../../features/ledger/service.ts";
import { changesOf } from "./fields.ts";
import { type Html, html } from "./html.ts";
import { limits } from "./limits.ts";
import { changeTable, fieldTable } from "./tables.ts";
import { visible } from "./visible.ts";

type Part = { readonly [name: string]: Json };

const isObject = (value: Json | undefined): value is Part =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isChange = (value: Json): value is Part => isObject(value) && ("before" in value || "after" in value);

/** What approving now would do, as tables of before and after; the rest of the preview as it is. Pure. */
export function previewSection(preview: JsonObject): Html {
  const { changes, problem, ...rest } = preview;
  const tabled = Array.isArray(changes) && changes.every(isChange);
  const others: JsonObject = tabled || changes === undefined ? rest : { ...rest, changes };
  return html`<h2>What approving now would do</h2>
${isObject(problem) ? problemBox(problem) : null}
${tabled ? changeList(changes as readonly Part[]) : null}
${Object.keys(others).length === 0 ? null : html`<h3>Computed with it</h3>${fieldTable(others)}`}`;
}

const problemBox = ({ code, message }: Part): Html =>
  html`<div class="box bad said">It would fail: <bdi>${visible(String(message))}</bdi> <span class="kind">${visible(String(code))}</span></div>`;

function changeList(changes: readonly Part[]): Html {
  if (changes.length === 0) return html`<p>It would change nothing.</p>`;
  let left: number = limits.previewRows;
  let hidden = 0;
  const parts = changes.map((change) => {
    const rows = changesOf(change.before, change.after);
    const shown = rows.slice(0, left);
    left -= shown.length;
    hidden += rows.length - shown.length;
    if (rows.length > 0 && shown.length === 0) return null;
    return html`<h3>${headOf(change)}</h3>
${rows.length === 0 ? html`<p>No field differs.</p>` : changeTable(shown)}`;
  });
  return html`${parts}${hidden === 0 ? null : cutNotice(hidden)}`;
}

/** What is not shown is never left out in silence. */
const cutNotice = (hidden: number): Html =>
  html`<div class="box bad"><strong>${hidden} more changed fields are not on this page.</strong> See all of them before you decide: <code>GET /v1/approvals/&lt;id&gt;</code> has the whole preview.</div>`;

function headOf({ before, after, kind, id }: Part): Html {
  const what = before == null ? "Made" : after == null ? "Deleted" : "Changed";
  const named = [kind, id].filter((each) => typeof each === "string");
  return html`${what}: ${named.map((each) => html`<bdi>${visible(each)}</bdi> `)}`;
}
