/** A text that does not follow the grammar. Turned into an error for the caller by whoever knows which part it was. */
export class SyntaxProblem extends Error {}

/** Reads a text from left to right. Every method throws SyntaxProblem where the text is not what it must be. */
export class Scanner {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get done(): boolean {
    return this.at >= this.text.length;
  }

  /** Whether `expected` comes next. */
  sees(expected: string): boolean {
    return this.text.startsWith(expected, this.at);
  }

  /** Passes over `expected` if it comes next. */
  takes(expected: string): boolean {
    if (!this.sees(expected)) return false;
    this.at += expected.length;
    return true;
  }

  /** Passes over `expected`, which must come next. */
  expect(expected: string): void {
    if (this.takes(expected)) return;
    const found = this.done ? "the end" : `"${this.text.slice(this.at, this.at + 12)}"`;
    throw new SyntaxProblem(`expected "${expected}" but found ${found}`);
  }

  spaces(): void {
    while (this.text[this.at] === " ") this.at += 1;
  }

  /** Everything up to the next of the characters in `stops`, or to the end. */
  until(stops: string): string {
    const from = this.at;
    while (this.at < this.text.length && !stops.includes(this.text[this.at]!)) this.at += 1;
    return this.text.slice(from, this.at);
  }

  /** A text in double quotes, in which a backslash takes the next character as it is. */
  quoted(): string {
    this.expect('"');
    let value = "";
    for (;;) {
      const character = this.text[this.at];
      if (character === undefined) throw new SyntaxProblem("a quoted text has no closing quote");
      this.at += 1;
      if (character === '"') return value;
      if (character !== "\\") {
        value += character;
        continue;
      }
      const escaped = this.text[this.at];
      if (escaped === undefined) throw new SyntaxProblem("a quoted text ends with a backslash");
      value += escaped;
      this.at += 1;
    }
  }

  /** A text in brackets, with the brackets, quotes inside respected: `{a,"b}"}`, `["x",[1]]`. */
  bracketed(): string {
    const from = this.at;
    const open: string[] = [];
    for (;;) {
      const character = this.text[this.at];
      if (character === undefined) throw new SyntaxProblem("a bracket is not closed");
      if (character === '"') {
        this.quoted();
        continue;
      }
      this.at += 1;
      if (character === "{") open.push("}");
      else if (character === "[" || character === "(") open.push("either");
      else if (character === "}" || character === "]" || character === ")") closes(open.pop(), character);
      if (open.length === 0) return this.text.slice(from, this.at);
    }
  }
}

/** Ranges mix round and square brackets: `[1,5)`. */
function closes(expected: string | undefined, character: string): void {
  const fits = expected === "}" ? character === "}" : character !== "}";
  if (!fits) throw new SyntaxProblem(`"${character}" closes nothing`);
}
