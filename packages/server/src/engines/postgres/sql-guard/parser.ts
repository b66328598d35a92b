import { createRequire } from "node:module";

/**
 * The Postgres 18 parser (libpg_query, WebAssembly): loaded at first use, so that boot does not wait for it, and
 * replaced after a trap. A trap, such as a stack overflow, unwinds without giving the parser's stack back; some
 * hundred of them would leave it unable to parse anything.
 */

/** One node's fields as the parser gives them. */
export type AstFields = Record<string, unknown>;

/** A lexical token; offsets are bytes of the UTF-8 text. */
export interface Token {
  start: number;
  end: number;
  text: string;
  tokenName: string;
}

/** One statement of a text: the tag of its root node and that node's fields. */
export interface ParsedStatement {
  tag: string;
  fields: AstFields;
}

/** Why a text does not parse. `offset` is in characters from 0; undefined where the parser gives none. */
export interface ParseFailure {
  reason: "syntax" | "complexity";
  message: string;
  offset?: number;
}

interface ParserModule {
  loadModule(): Promise<void>;
  parseSync(query: string): { stmts?: { stmt?: Record<string, AstFields> }[] };
  scanSync(query: string): { tokens: Token[] };
}

/** A loaded parser. Both functions are synchronous and never throw. */
export interface Parser {
  /** The tokens of the text, comments among them; a failure when the text ends inside a string or a comment. */
  scan(sql: string): Token[] | ParseFailure;
  parse(sql: string): ParsedStatement[] | ParseFailure;
}

const require = createRequire(import.meta.url);
let loading: Promise<Parser> | undefined;

/** The parser, loading it if this is the first call or the one before was lost to a trap. */
export function loadParser(): Promise<Parser> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Parser> {
  try {
    const library = require("libpg-query") as ParserModule;
    await library.loadModule();
    return {
      scan: (sql) => attempt(() => library.scanSync(sql).tokens, scanFailure),
      parse: (sql) => attempt(() => statementsOf(library.parseSync(sql)), parseFailure),
    };
  } catch (error) {
    discard();
    throw error;
  }
}

function discard(): void {
  loading = undefined;
  for (const path of Object.keys(require.cache)) {
    if (path.includes("libpg-query")) delete require.cache[path];
  }
}

function attempt<T>(run: () => T, explain: (error: unknown) => ParseFailure | undefined): T | ParseFailure {
  try {
    return run();
  } catch (error) {
    const failure = explain(error);
    if (failure) return failure;
    discard();
    return { reason: "complexity", message: "The text is too complex to be parsed." };
  }
}

// The scanner hands its error message to JSON.parse, which is all that remains of it.
function scanFailure(error: unknown): ParseFailure | undefined {
  if (!(error instanceof SyntaxError)) return undefined;
  return { reason: "syntax", message: "The text ends inside a string, a quoted name or a comment." };
}

function parseFailure(error: unknown): ParseFailure | undefined {
  if (!(error instanceof Error) || error.name !== "SqlError") return undefined;
  const offset = (error as { sqlDetails?: { cursorPosition?: number } }).sqlDetails?.cursorPosition;
  return { reason: "syntax", message: error.message, offset };
}

function statementsOf(result: ReturnType<ParserModule["parseSync"]>): ParsedStatement[] {
  return (result.stmts ?? []).map(({ stmt }) => {
    const [tag, fields] = Object.entries(stmt ?? {})[0] ?? ["", {}];
    return { tag, fields };
  });
}
