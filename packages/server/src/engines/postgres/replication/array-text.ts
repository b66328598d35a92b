import { errors } from "./errors.ts";

const openBrace = 0x7b;
const closeBrace = 0x7d;
const quote = 0x22;
const backslash = 0x5c;

/**
 * Turns an array in Postgres text format (`{1,NULL,{"a \"b\""}}`, perhaps after bounds: `[0:1]={…}`) into JSON text,
 * spaced as jsonb prints it. `element` renders one element's text; `delimiter` is its type's `typdelim`.
 *
 * Source: PostgreSQL documentation, "Array Input and Output Syntax".
 */
export function arrayToJson(text: string, element: (text: string) => string, delimiter: string): string {
  const separator = delimiter.charCodeAt(0);
  let at = text.charCodeAt(0) === openBrace ? 0 : text.indexOf("={") + 1;

  const readArray = (): string => {
    if (text.charCodeAt(at) !== openBrace) throw malformed(text);
    at += 1;
    let json = "[";
    while (text.charCodeAt(at) !== closeBrace) {
      json += readElement();
      if (text.charCodeAt(at) === separator) {
        json += ", ";
        at += 1;
      } else if (text.charCodeAt(at) !== closeBrace) {
        throw malformed(text);
      }
    }
    at += 1;
    return `${json}]`;
  };

  const readElement = (): string => {
    const first = text.charCodeAt(at);
    if (first === openBrace) return readArray();
    if (first === quote) return element(readQuoted());
    const start = at;
    while (at < text.length && text.charCodeAt(at) !== separator && text.charCodeAt(at) !== closeBrace)
      at += 1;
    const word = text.slice(start, at);
    return word === "NULL" ? "null" : element(word);
  };

  const readQuoted = (): string => {
    let value = "";
    let start = at + 1;
    for (at = start; text.charCodeAt(at) !== quote; at += 1) {
      if (at >= text.length) throw malformed(text);
      if (text.charCodeAt(at) !== backslash) continue;
      value += text.slice(start, at);
      at += 1; // the character after a backslash stands for itself
      start = at;
    }
    value += text.slice(start, at);
    at += 1;
    return value;
  };

  const json = readArray();
  if (at !== text.length) throw malformed(text);
  return json;
}

function malformed(text: string) {
  return errors.REPLICATION_PROTOCOL_ERROR({
    details: { unexpected: `array text of ${text.length} characters` },
  });
}
