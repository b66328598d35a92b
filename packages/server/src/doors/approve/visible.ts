import { escapeHtml, Html } from "./html.ts";

/**
 * Characters that are not seen, change the order in which others are seen, or pass for a space; line breaks and spaces
 * in numbers that push text out of sight; marks piled on one letter, which cover the lines around.
 */
const UNSEEN =
  /\r\n|\n{3,}|\n| {9,}|\p{M}{4,}|(?! )\p{Zs}|[\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

/**
 * Text that others wrote, as HTML in which nothing hides: every character that is not seen as itself stands as its
 * name, e.g. `U+202E`. Nothing is left out. Pure.
 */
export function visible(text: string): Html {
  let out = "";
  let from = 0;
  for (const found of text.matchAll(UNSEEN)) {
    out += escapeHtml(text.slice(from, found.index)) + shown(found[0]);
    from = found.index + found[0].length;
  }
  return new Html(out + escapeHtml(text.slice(from)));
}

function shown(hidden: string): string {
  if (hidden === "\n") return `${mark("↵")}\n`;
  if (hidden.startsWith("\n")) return `${mark(`${hidden.length} line breaks`)}\n`;
  if (hidden.startsWith(" ")) return mark(`${hidden.length} spaces`);
  const codes = [...hidden].map(
    (each) => `U+${each.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`,
  );
  return mark(codes.join(" "));
}

const mark = (name: string): string => `<b class="mark">${name}</b>`;
