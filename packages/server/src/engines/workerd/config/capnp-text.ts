/** A value that can't be told to workerd. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ConfigError";
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/**
 * A text of Cap'n Proto's text format, quotes included. Bytes outside printable ASCII are written as `\xNN` of their
 * UTF-8. Refuses NUL, which would end the text for some readers, and lone surrogates, which have no UTF-8.
 */
export function capnpText(value: string, what: string): string {
  if (value.includes("\0")) throw new ConfigError(`${what} contains a NUL character.`);
  if (!value.isWellFormed()) throw new ConfigError(`${what} contains half of a surrogate pair.`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what has to be escaped
  return `"${value.replace(/["\\\x00-\x1f\x7f]|[^\x00-\x7f]+/g, escapeRun)}"`;
}

function escapeRun(run: string): string {
  return ESCAPES[run] ?? hexBytes(run);
}

function hexBytes(run: string): string {
  let text = "";
  for (const byte of Buffer.from(run, "utf8")) text += `\\x${byte.toString(16).padStart(2, "0")}`;
  return text;
}
