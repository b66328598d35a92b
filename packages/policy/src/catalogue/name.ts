import {
  ALSO_NOUNS,
  CONJUNCTIONS,
  DESTRUCTIVE,
  EXECUTE,
  FINANCIAL,
  MONEY,
  READ,
  TELLING_LAST,
  THINGS,
  WRITE,
} from "./lexicon.ts";
import { limits } from "./limits.ts";
import { type Evidence, type ToolClass, worse } from "./types.ts";
import { isVerb, wordsOf } from "./words.ts";

/** What a name says. */
export interface Said {
  /** Null: nothing. */
  readonly class: ToolClass | null;
  /** The verb that decided; null without. */
  readonly verb: string | null;
  readonly evidence: readonly Evidence[];
}

/** The class of a verb in its base form; null for other words. */
export function classOfVerb(word: string): ToolClass | null {
  if (DESTRUCTIVE.has(word)) return "destructive";
  if (FINANCIAL.has(word)) return "financial";
  if (EXECUTE.has(word)) return "execute";
  if (WRITE.has(word)) return "write";
  return READ.has(word) ? "read" : null;
}

/**
 * What the name of a tool or an action says it does. The first verb counts, so that `get_deleted_items` reads; a verb
 * that comes last or after "and" counts too when it is graver. Pure.
 */
export function classOfName(name: string): Said {
  const words = wordsOf(name);
  let decisive: string | null = null;
  let found: ToolClass | null = null;
  for (const verb of tellingVerbs(words)) {
    const of = classOfVerb(verb) ?? "read";
    const graver: ToolClass = found === null ? of : worse(found, of);
    if (graver !== found) decisive = verb;
    found = graver;
  }
  if (found === null) {
    const gives = words.length > 0 && words.every((word) => THINGS.has(word));
    return gives
      ? { class: "read", verb: null, evidence: [said(name, "nothing but what it gives")] }
      : { class: null, verb: null, evidence: [] };
  }
  const money = found === "write" ? words.find((word) => MONEY.has(word) && word !== decisive) : undefined;
  if (money !== undefined)
    return { class: "financial", verb: decisive, evidence: [said(name, `"${decisive}" and "${money}"`)] };
  return { class: found, verb: decisive, evidence: [said(name, quoted(name, decisive!))] };
}

const said = (name: string, what: string): Evidence => ({
  source: "name",
  text: `${what} in ${name.slice(0, limits.quotedChars)}`,
});

/** A verb as it is quoted; several words of a name may stand for one that is not in it. */
const quoted = (name: string, verb: string): string =>
  name.toLowerCase().includes(verb) ? `"${verb}"` : `what means "${verb}"`;

/** What a log is there for. */
const LOG = "read";

/** The verbs of a name that say what it does, in order. */
function tellingVerbs(words: readonly string[]): string[] {
  const at = words.findIndex(isVerb);
  const [first, last] = [words[at], words.at(-1)!];
  if (first === undefined) return [];
  const isLast = at === words.length - 1;
  // `git_log`: nobody logs a git.
  if (isLast && at > 0 && first === "log" && words.slice(0, at).every((word) => THINGS.has(word)))
    return [LOG];
  // `comment_list`, `run_status`: what comes first is the thing.
  if (!isLast && ALSO_NOUNS.has(first) && TELLING_LAST.read.has(last)) return [last];
  const verbs = [first];
  const tells = TELLING_LAST.grave.has(last) || (ALSO_NOUNS.has(first) && !ALSO_NOUNS.has(last));
  if (!isLast && tells && isVerb(last)) verbs.push(last);
  for (const [place, word] of words.entries()) {
    const next = words[place + 1];
    if (place > at && next !== undefined && CONJUNCTIONS.has(word) && isVerb(next)) verbs.push(next);
  }
  return verbs;
}
