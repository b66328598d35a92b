/** What SQL is made of, as far as it matters here: words, parentheses, semicolons; text in quotes is one token. */
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|[();]|\S/g;

const READS = new Set(["SELECT", "VALUES"]);
const WRITES = new Set(["INSERT", "REPLACE", "UPDATE", "DELETE"]);

/**
 * Whether SQLite can only read when it runs this. Pure. One statement: SELECT, VALUES, or EXPLAIN of anything, or a
 * WITH that ends in SELECT or VALUES. SQLite's SELECT has no way to write, and functions that could are refused.
 */
export function isReadOnly(sql: string): boolean {
  const tokens = (sql.match(TOKEN) ?? []).filter(
    (token) => !token.startsWith("--") && !token.startsWith("/*"),
  );
  while (tokens.at(-1) === ";") tokens.pop();
  if (tokens.includes(";")) return false;
  const first = tokens[0]?.toUpperCase();
  if (first === undefined) return false;
  if (READS.has(first) || first === "EXPLAIN") return true;
  return first === "WITH" && verbAfterWith(tokens) === "read";
}

/** The statement behind the common tables: what comes first outside all parentheses. */
function verbAfterWith(tokens: readonly string[]): "read" | "write" {
  let depth = 0;
  for (const token of tokens) {
    if (token === "(") depth += 1;
    else if (token === ")") depth -= 1;
    else if (depth === 0 && READS.has(token.toUpperCase())) return "read";
    else if (depth === 0 && WRITES.has(token.toUpperCase())) return "write";
  }
  return "write";
}
