import type { OrderTerm, SelectItem } from "./ast.ts";
import { limits } from "./limits.ts";
import { readName, readPath } from "./paths.ts";
import { Scanner, SyntaxProblem } from "./scanner.ts";

/** An alias becomes a name in SQL; nothing but these ever does. */
const ALIAS = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

/** What is left of the bounds of one `select`. */
interface SelectBudget {
  items: number;
  embeds: number;
}

const STOPS = ",():!";

/**
 * Reads `id,title,when:created_at,meta->>colour,author:users(id,name),comments!fk_name(*)`. Throws SyntaxProblem.
 */
export function parseSelect(text: string): SelectItem[] {
  const scanner = new Scanner(text);
  const items = readItems(scanner, { items: limits.selectItems, embeds: limits.embeds }, 0);
  if (!scanner.done) throw new SyntaxProblem(`"${text.slice(scanner.at, scanner.at + 12)}" is left over`);
  return items;
}

function readItems(scanner: Scanner, budget: SelectBudget, depth: number): SelectItem[] {
  const items: SelectItem[] = [];
  do {
    budget.items -= 1;
    if (budget.items < 0) throw new SyntaxProblem(`select has at most ${limits.selectItems} items`);
    items.push(readItem(scanner, budget, depth));
    scanner.spaces();
  } while (scanner.takes(","));
  return items;
}

function readItem(scanner: Scanner, budget: SelectBudget, depth: number): SelectItem {
  scanner.spaces();
  if (scanner.takes("*")) return { kind: "all" };
  const start = scanner.at;
  const { text: alias } = readName(scanner, STOPS);
  const aliased = scanner.takes(":");
  if (!aliased) scanner.at = start;
  else if (!ALIAS.test(alias)) {
    throw new SyntaxProblem("an alias is made of letters, digits and _, and begins with no digit");
  }
  const path = readPath(scanner, STOPS);
  scanner.spaces();
  const name = aliased ? alias : null;
  if (!scanner.sees("!") && !scanner.sees("(")) return { kind: "column", path, alias: name };
  if (path.steps.length > 0) throw new SyntaxProblem("only a related table can be followed by brackets");
  return readEmbed(scanner, path.column, name, budget, depth);
}

function readEmbed(
  scanner: Scanner,
  relation: string,
  alias: string | null,
  budget: SelectBudget,
  depth: number,
): SelectItem {
  const hints: string[] = [];
  while (scanner.takes("!")) hints.push(readName(scanner, STOPS).text);
  budget.embeds -= 1;
  if (budget.embeds < 0) throw new SyntaxProblem(`select embeds at most ${limits.embeds} related tables`);
  if (depth > 0) throw new SyntaxProblem("related rows can be embedded one level deep");
  scanner.expect("(");
  const items = readItems(scanner, budget, depth + 1);
  scanner.expect(")");
  return { kind: "embed", relation, hints, alias, items };
}

/** Reads `a.asc.nullslast,b.desc,meta->>rank`. Nulls default to Postgres' own place: last, first when descending. */
export function parseOrder(text: string): OrderTerm[] {
  const scanner = new Scanner(text);
  const terms: OrderTerm[] = [];
  do {
    const path = readPath(scanner, ".,");
    let descending = false;
    let nullsFirst: boolean | null = null;
    while (scanner.takes(".")) {
      const word = scanner.until(".,").trim().toLowerCase();
      if (word === "asc" || word === "desc") descending = word === "desc";
      else if (word === "nullsfirst" || word === "nullslast") nullsFirst = word === "nullsfirst";
      else throw new SyntaxProblem(`"${word}" is none of asc, desc, nullsfirst, nullslast`);
    }
    if (terms.length >= limits.orderTerms)
      throw new SyntaxProblem(`order has at most ${limits.orderTerms} keys`);
    terms.push({ path, descending, nullsFirst: nullsFirst ?? descending });
  } while (scanner.takes(","));
  if (!scanner.done) throw new SyntaxProblem(`"${text.slice(scanner.at, scanner.at + 12)}" is left over`);
  return terms;
}
