import { ALSO_NOUNS } from "./lexicon.ts";
import { limits } from "./limits.ts";
import { classOfVerb } from "./name.ts";
import { type Evidence, type ToolClass, worse } from "./types.ts";
import { baseForm } from "./words.ts";

/** What a description says. */
export interface Described {
  readonly class: ToolClass | null;
  readonly evidence: readonly Evidence[];
}

const NOTHING: Described = { class: null, evidence: [] };

/** What may stand before the verb of a first sentence. */
const OPENING =
  /^(?:(?:(?:this|the|a|an)\s+(?:tool|action|function|operation|endpoint|command|method)|use|tool|action|it|to|that|which|can|will|may|you|your|allows?|lets?|enables?|used|for|be|permanently|irreversibly|safely|recursively|simply|quickly|also|optionally|then|please|is|helps?|agents?|users?|me|us|them)\b\W*)*/i;
/** Said of the tool itself anywhere: what was there can't come back. */
const FOR_GOOD =
  /\b(?:this (?:action |operation |tool |step |call )?)?(?:cannot|can't|can not|can never) be (?:undone|reversed|recovered|restored)\b|\bis irreversible\b|\birreversibl[ey]\b|\bpermanently (?:delete|remove|erase|destroy|wipe)s?\b/i;
/** What turns a sentence into its opposite. */
const NEGATED =
  /\b(?:not|never|no|without|isn't|doesn't|don't|nothing|neither|nor|instead|unless|until|if)\b/i;

/**
 * What a description says a tool does: the verbs its first sentence begins with ("Creates or deletes a record"), and that
 * something can't be undone. What else it speaks of says little about what it does. Pure.
 */
export function classOfDescription(description: string): Described {
  const text = description.slice(0, limits.textChars);
  const opening = leadingVerbs(text);
  const forGood = sentencesOf(text).find((sentence) => {
    const match = FOR_GOOD.exec(sentence);
    return match !== null && !NEGATED.test(sentence.slice(0, match.index));
  });
  let found: ToolClass | null = null;
  const evidence: Evidence[] = [];
  for (const verb of opening) {
    const of = classOfVerb(verb)!;
    if (found !== null && worse(found, of) === found) continue;
    found = of;
    evidence.push({ source: "description", text: `begins with "${verb}": ${quoted(text)}` });
  }
  if (forGood !== undefined) {
    found = "destructive";
    evidence.push({ source: "description", text: `can't be undone: ${quoted(forGood)}` });
  }
  return found === null ? NOTHING : { class: found, evidence };
}

const quoted = (text: string): string => JSON.stringify(text.trim().slice(0, limits.quotedChars));

const sentencesOf = (text: string): string[] => text.split(/[.!?\n]+\s*/);

/** What follows a verb that could be a noun too: "Charge a card", and not "Charge details". */
const AFTER_VERB =
  /^(?:a|an|the|this|that|these|one|any|all|each|your|some|new|multiple|several|arbitrary|sql|code|shell|javascript|python|commands?|queries|money|funds)$/i;

/** The verbs with which the first sentence begins, as a list may give them: "List, create and delete". */
function leadingVerbs(text: string): string[] {
  const sentence = sentencesOf(text.trim())[0] ?? "";
  const rest = sentence.slice(OPENING.exec(sentence)?.[0].length ?? 0).slice(0, 500);
  const words = rest.match(/[\p{L}-]+|[^\s\p{L}]/gu) ?? [];
  const verbs: string[] = [];
  for (const [at, word] of words.entries()) {
    if (/^(?:and|or|then|permanently|irreversibly|optionally|[,/&])$/i.test(word)) continue;
    const verb = baseForm(word);
    if (verb === null || (ALSO_NOUNS.has(verb) && !AFTER_VERB.test(words[at + 1] ?? ""))) break;
    verbs.push(verb);
  }
  return verbs;
}
