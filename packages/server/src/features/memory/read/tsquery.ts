import type { Query, Term, Token } from "./query.ts";

/** Words that stand in for a word of the search besides itself. */
export type Alternatives = ReadonlyMap<string, readonly string[]>;

export const NO_ALTERNATIVES: Alternatives = new Map();

/** What the index is asked besides the words: lexemes that `ambit.memory_vector` adds. */
export interface IndexFilter {
  readonly organizationId: string;
  /** Null: every kind. */
  readonly kinds: readonly string[] | null;
  readonly appId: string | null;
}

/** Words are letters and digits only (see fold.ts), so that quotation marks are all it takes. */
const lexeme = (text: string, suffix = "") => `'${text}'${suffix}`;

/** A term in the language of tsquery; `weight` A finds it in titles only. Pure. */
export function termText(term: Term, alternatives: Alternatives, weight: "" | "A" = ""): string {
  return term.map((token) => tokenText(token, alternatives, weight)).join(" <-> ");
}

function tokenText({ word, prefix }: Token, alternatives: Alternatives, weight: "" | "A"): string {
  const suffix = `${prefix ? "*" : ""}${weight}`;
  const own = lexeme(word, suffix === "" ? "" : `:${suffix}`);
  const others = (alternatives.get(word) ?? []).map((each) =>
    lexeme(each, weight === "" ? "" : `:${weight}`),
  );
  return others.length === 0 ? own : `(${[own, ...others].join(" | ")})`;
}

/** Finds the words of a term in titles by the index alone; that they stand next to each other is not looked at. */
function titleText(term: Term, alternatives: Alternatives): string {
  const words = term.map(({ word, prefix }) => {
    const own = lexeme(`/t/${word}`, prefix ? ":*" : "");
    const others = (alternatives.get(word) ?? []).map((each) => lexeme(`/t/${each}`));
    return `(${[own, ...others].join(" | ")})`;
  });
  return words.join(" & ");
}

const together = (query: Query, parts: readonly string[]) =>
  `(${parts.map((part) => `(${part})`).join(query.all ? " & " : " | ")})`;

/** The tsquery the index of all words is asked. Pure. */
export function indexText(query: Query, alternatives: Alternatives, filter: IndexFilter): string {
  const words = query.terms.map((term) => termText(term, alternatives));
  return [together(query, words), ...filterParts(filter)].join(" & ");
}

/** The same for words of titles. Pure. */
export function titleIndexText(query: Query, alternatives: Alternatives, filter: IndexFilter): string {
  const words = query.terms.map((term) => titleText(term, alternatives));
  return [together(query, words), ...filterParts(filter)].join(" & ");
}

/** Every word there may be, one of which will do: how densely a record speaks of them. Pure. */
export function densityText({ terms }: Query, alternatives: Alternatives): string {
  return terms.flatMap((term) => term.map((token) => tokenText(token, alternatives, ""))).join(" | ");
}

function filterParts({ organizationId, kinds, appId }: IndexFilter): string[] {
  const parts = [lexeme(`/o/${organizationId.slice(0, 8)}`)];
  if (kinds !== null) parts.push(`(${kinds.map((kind) => lexeme(`/k/${kind}`)).join(" | ")})`);
  if (appId !== null && /^[a-z0-9_]+$/.test(appId)) parts.push(lexeme(`/a/${appId}`));
  return parts;
}
