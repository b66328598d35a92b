import type { Json } from "../../features/ledger/service.ts";
import { type ChangedField, type Field, fieldsOf, type Leaf } from "./fields.ts";
import { type Html, html } from "./html.ts";
import { visible } from "./visible.ts";

/** Every field of a value, as rows of name and value. Pure. */
export function fieldTable(value: Json): Html {
  const rows = fieldsOf(value).map(fieldRow);
  return html`<table>
<thead><tr><th class="name">Field</th><th>Value</th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

const fieldRow = ({ path, leaf }: Field): Html =>
  html`<tr><td class="name">${nameOf(path)}</td><td class="value">${leafText(leaf)}</td></tr>
`;

/** Fields that change, as rows of name, before and after. Pure. */
export function changeTable(changes: readonly ChangedField[]): Html {
  const rows = changes.map(
    ({ path, before, after }) =>
      html`<tr><td class="name">${nameOf(path)}</td><td class="value">${leafText(before)}</td><td class="value">${leafText(after)}</td></tr>
`,
  );
  return html`<table>
<thead><tr><th class="name">Field</th><th>Before</th><th>After</th></tr></thead>
<tbody>
${rows}</tbody>
</table>`;
}

/** Names that others chose, each by itself, so that none can pass for two or for part of another. */
const nameOf = (path: readonly string[]): Html =>
  path.length === 0
    ? html`<span class="kind">value</span>`
    : html`${path.map((name, at) => html`${at === 0 ? null : html` <span class="kind">›</span> `}<bdi>${visible(name)}</bdi>`)}`;

function leafText(leaf: Leaf | null): Html {
  if (leaf === null) return html`<span class="kind">not there</span>`;
  if ("empty" in leaf)
    return html`<span class="kind">${leaf.empty === "{}" ? "empty object" : "empty list"}</span>`;
  const { scalar } = leaf;
  if (scalar === "") return html`<span class="kind">empty text</span>`;
  if (typeof scalar === "string") return html`<bdi>${visible(scalar)}</bdi>`;
  return html`<code>${String(scalar)}</code> <span class="kind">${scalar === null ? "nothing" : typeof scalar}</span>`;
}
