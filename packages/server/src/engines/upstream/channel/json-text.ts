/**
 * Changing single members of a JSON text and leaving every other byte as it came: numbers that JavaScript can't hold,
 * the order of keys and spaces survive.
 */

export interface Edit {
  readonly path: readonly string[];
  /** JSON text that takes the member's place. */
  readonly value: string;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** A value, and where its key begins. */
interface Member extends Span {
  readonly keyStart: number;
}

/**
 * Replaces members of `text`, which must be valid JSON and an object. Null when one of them is missing or there twice:
 * then nothing says which one a reader takes.
 */
export function replaceMembers(text: string, edits: readonly Edit[]): string | null {
  const places: { readonly span: Span; readonly value: string }[] = [];
  for (const { path, value } of edits) {
    const span = memberSpan(text, path);
    if (span === null) return null;
    places.push({ span, value });
  }
  places.sort((a, b) => b.span.start - a.span.start);
  let changed = text;
  for (const { span, value } of places)
    changed = changed.slice(0, span.start) + value + changed.slice(span.end);
  return changed;
}

/**
 * Puts members before those an object inside of `text` has. `members` is JSON text without the braces; none of its names
 * may be there already. Null when there is no such object, or twice.
 */
export function addMembers(text: string, path: readonly string[], members: string): string | null {
  const span = memberSpan(text, path);
  if (span === null || text[span.start] !== "{") return null;
  const first = skipSpace(text, span.start + 1);
  const comma = text[first] === "}" ? "" : ",";
  return text.slice(0, span.start + 1) + members + comma + text.slice(span.start + 1);
}

/** Takes a member away. Null when it is missing or there twice. */
export function removeMember(text: string, path: readonly string[]): string | null {
  const own = path.at(-1);
  const around = memberSpan(text, path.slice(0, -1));
  if (own === undefined || around === null || text[around.start] !== "{") return null;
  const member = ownMember(text, around.start, own);
  if (member === null) return null;
  const after = skipSpace(text, member.end);
  if (text[after] === ",") return text.slice(0, member.keyStart) + text.slice(skipSpace(text, after + 1));
  // The last one: the comma before it goes as well, if there is one.
  const before = text.slice(0, member.keyStart).trimEnd();
  return (before.endsWith(",") ? before.slice(0, -1) : before) + text.slice(member.end);
}

/** Where the value at a path of member names lies; null when it is missing, twice there, or not inside of objects. */
export function memberSpan(text: string, path: readonly string[]): Span | null {
  let span: Span | null = { start: skipSpace(text, 0), end: text.length };
  for (const name of path) {
    if (span === null || text[span.start] !== "{") return null;
    span = ownMember(text, span.start, name);
  }
  return span;
}

/** `open` is where the object begins. Looks at all members, so that a name that comes twice is noticed. */
function ownMember(text: string, open: number, name: string): Member | null {
  let found: Member | null = null;
  let at = skipSpace(text, open + 1);
  while (text[at] !== "}") {
    const keyEnd = endOfString(text, at);
    const keyStart = at;
    const isIt = keyIs(text, at, keyEnd, name);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    if (isIt && found !== null) return null;
    if (isIt) found = { keyStart, start, end };
    at = skipSpace(text, end);
    if (text[at] === ",") at = skipSpace(text, at + 1);
    else if (text[at] !== "}") return null;
  }
  return found;
}

function keyIs(text: string, start: number, end: number, name: string): boolean {
  if (end - start === name.length + 2 && text.startsWith(name, start + 1)) return true;
  const raw = text.slice(start, end);
  return raw.includes("\\") && JSON.parse(raw) === name;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

/** Just after the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1);
  while (quote !== -1) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes += 1;
    if (backslashes % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return text.length;
}

function endOfValue(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === 0x22) return endOfString(text, start);
  if (first === 0x7b || first === 0x5b) return endOfNested(text, start);
  let at = start;
  while (at < text.length && !endsPlain(text.charCodeAt(at))) at += 1;
  return at;
}

/** Comma, brackets, spaces: what a number or a word stops at. */
function endsPlain(code: number): boolean {
  return code === 0x2c || code === 0x7d || code === 0x5d || code <= 0x20;
}

function endOfNested(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x22) {
      at = endOfString(text, at);
      continue;
    }
    at += 1;
    if (code === 0x7b || code === 0x5b) depth += 1;
    else if (code === 0x7d || code === 0x5d) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return at;
}
