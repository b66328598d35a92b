import type { Token } from "./parser.ts";

/** What `measure` finds out about a text before it is parsed. */
export interface Measure {
  /** Upper bound of how deep the parse tree can be, in tokens. */
  nesting: number;
  /** Most columns in one `SET (a, b, …) = …`; 1 without one. */
  assignedColumns: number;
  /** There is such an assignment below the top level of a WITH, where no valid statement has one. */
  nestedAssignment: boolean;
}

interface Level {
  /** Tokens of the current comma-separated item. */
  run: number;
  /** Deepest bracket closed inside the current item. */
  inner: number;
  /** Deepest finished item. */
  best: number;
  /** UNION and its kind build a chain that goes on across commas. */
  chain: number;
  commas: number;
  /** The bracket stands where the left side of a multi-column assignment would. */
  maybeAssigned: boolean;
}

const SET_OPERATIONS = new Set(["UNION", "INTERSECT", "EXCEPT"]);
const OPENING = new Set(["(", "["]);
const CLOSING = new Set([")", "]"]);

const newLevel = (maybeAssigned: boolean): Level => ({
  run: 0,
  inner: 0,
  best: 0,
  chain: 0,
  commas: 0,
  maybeAssigned,
});
const depthOf = (level: Level): number => Math.max(level.best, level.run + level.inner) + level.chain;

/** The tokens that mean something: all but comments. */
export function withoutComments(tokens: readonly Token[]): Token[] {
  return tokens.filter(({ tokenName }) => tokenName !== "SQL_COMMENT" && tokenName !== "C_COMMENT");
}

/**
 * Bounds the parse tree from the tokens alone, because the parser itself has no guard against deep nesting.
 * Along a path from the root to a leaf every node takes at least one token of its own: within a bracket level a
 * path stays inside one comma-separated item and enters at most one of the item's brackets.
 */
export function measure(tokens: readonly Token[]): Measure {
  const levels: Level[] = [newLevel(false)];
  const found: Measure = { nesting: 0, assignedColumns: 1, nestedAssignment: false };
  tokens.forEach(({ text }, index) => {
    const level = levels.at(-1)!;
    if (text === ",") {
      level.best = Math.max(level.best, level.run + level.inner);
      level.run = 0;
      level.inner = 0;
      level.commas += 1;
      return;
    }
    if (CLOSING.has(text) && levels.length > 1) {
      levels.pop();
      const outer = levels.at(-1)!;
      outer.inner = Math.max(outer.inner, depthOf(level));
      if (level.maybeAssigned && level.commas > 0 && tokens[index + 1]?.text === "=") {
        found.assignedColumns = Math.max(found.assignedColumns, level.commas + 1);
        found.nestedAssignment ||= levels.length > 2;
      }
      return;
    }
    level.run += 1;
    if (SET_OPERATIONS.has(text.toUpperCase())) level.chain += 1;
    if (OPENING.has(text)) levels.push(newLevel(beforeAssignment(tokens[index - 1])));
  });
  // Brackets left open are a syntax error, but one the parser reaches only at the depth they opened.
  found.nesting = levels.reduceRight((inner, level) => Math.max(depthOf(level), level.run + inner), 0);
  if (!tokens.some(isSet)) found.nestedAssignment = false;
  return found;
}

const isSet = (token: Token | undefined): boolean => token?.text.toUpperCase() === "SET";
const beforeAssignment = (token: Token | undefined): boolean => token?.text === "," || isSet(token);

/** The text again with comments gone and every gap between tokens made one space. */
export function rejoin(source: string, tokens: readonly Token[]): string {
  const bytes = Buffer.from(source);
  let text = "";
  let end = 0;
  for (const token of tokens) {
    if (text !== "" && token.start > end) text += " ";
    text += bytes.toString("utf8", token.start, token.end);
    end = token.end;
  }
  return text;
}
