import { limits } from "./limits.ts";
import type { Signal } from "./types.ts";
import { escaped } from "./walk.ts";

/** A text of a tool's definition. */
interface Text {
  readonly pointer: string;
  readonly text: string;
}

/** What talks to the model in a way that describes no tool. */
const SPEAKS_TO_MODEL: readonly (readonly [RegExp, string])[] = [
  [
    /\b(?:ignore|disregard|forget|override|bypass)\b(?:\s+\w+){0,3}\s+(?:previous|prior|above|earlier|preceding|other|system|safety|all)\b(?:\s+\w+){0,2}\s+(?:instructions?|prompts?|rules?|messages?|guidelines?|context|polic(?:y|ies)|restrictions?)\b/i,
    "tells the model to leave its instructions aside",
  ],
  [
    /\b(?:do not|don't|dont|never|must not|should not|avoid)\s+(?:ever\s+)?(?:tell|telling|inform|mention|mentioning|reveal|notify|alert|disclose|disclosing|show|explain|ask|let)\b[^.\n]{0,60}\b(?:user|human|anyone|person|operator|customer)s?\b/i,
    "tells the model to keep something from people",
  ],
  [
    /\bwithout\s+(?:telling|informing|notifying|asking|alerting|mentioning|the knowledge of|letting)\b[^.\n]{0,40}\b(?:user|human|anyone|person|operator)s?\b|\b(?:hide|conceal|keep)\b[^.\n]{0,40}\b(?:from the user|secret from)\b/i,
    "tells the model to keep something from people",
  ],
  [
    /<\s*\/?\s*(?:important|system|instructions?|secret|hidden|admin|assistant|critical)\s*>/i,
    "has a tag that passes for the system's own",
  ],
  [
    /\[\s*\/?\s*(?:system|inst|important|admin)\s*\]|<\|(?:im_start|im_end|system|endoftext)\|>/i,
    "has a mark that passes for the system's own",
  ],
  [
    /~\/\.(?:ssh|aws|cursor|gnupg|kube|config|netrc|npmrc|docker)\b|\bid_(?:rsa|ed25519|ecdsa)\b|\/etc\/(?:passwd|shadow)\b|\.cursor\/mcp\.json|claude_desktop_config/i,
    "names a file that holds credentials",
  ],
  [
    /\byou are now\b|\bnew (?:system )?instructions?\s*:|\bact as (?:an? )?(?:admin|root|developer mode)/i,
    "gives the model another part",
  ],
  [/<!--/, "holds a comment that people don't see where it is rendered"],
];

/** Characters that people don't see and models read. */
const HIDDEN: readonly (readonly [RegExp, string])[] = [
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  [/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/u, "control characters"],
  [/[\u200b\u2060-\u2064\ufeff\u180e\u00ad]|\u034f|[\u115f\u1160\u3164\uffa0]/u, "characters without width"],
  [/(?:^|[\u0020-\u007e])[\u200c\u200d]|[\u200c\u200d](?:[\u0020-\u007e]|$)/u, "joiners that join nothing"],
  [/[\u202a-\u202e\u2066-\u2069]/u, "marks that turn the direction of the text"],
  [/[\u{fe00}-\u{fe0f}\u{e0100}-\u{e01ef}]{2,}/u, "a row of variation selectors"],
];
/** Tag characters stand only in flags: a black flag, letters, an end. */
const FLAG = /\u{1f3f4}[\u{e0020}-\u{e007e}]{1,8}\u{e007f}/gu;
const TAGS = /[\u{e0000}-\u{e007f}]/u;
/** Letters of scripts whose letters look like Latin ones, beside Latin ones. */
const MIXED =
  /\p{Script=Latin}[^\s]*[\p{Script=Cyrillic}\p{Script=Greek}]|[\p{Script=Cyrillic}\p{Script=Greek}][^\s]*\p{Script=Latin}/u;

/**
 * Signs that a tool's definition was made to steer a model, or to pass for another tool: in its name, its descriptions,
 * and every other text of it. Pure.
 */
export function instructionSignals(tool: unknown): Signal[] {
  const signals: Signal[] = [];
  for (const { pointer, text } of textsOf(tool)) {
    if (signals.length >= limits.signalsOfAKind) break;
    const found = [
      ...SPEAKS_TO_MODEL.filter(([pattern]) => pattern.test(text)).map(([, why]) => why),
      ...hiddenIn(text),
    ];
    if (pointer === "/name" && MIXED.test(text)) found.push("mixes scripts whose letters look alike");
    for (const why of new Set(found)) signals.push({ kind: "instructions", pointer, why: `The text ${why}` });
  }
  return signals.slice(0, limits.signalsOfAKind);
}

function hiddenIn(text: string): string[] {
  // Nothing to find in plain text, which most is.
  if (/^[\t\n\r\u0020-\u007e]*$/.test(text)) return [];
  const found = HIDDEN.filter(([pattern]) => pattern.test(text)).map(([, what]) => what);
  if (TAGS.test(text.replace(FLAG, ""))) found.push("tag characters");
  return found.map((what) => `holds ${what}`);
}

/** Every text of a definition, keys included, as many as `limits.texts`. */
function textsOf(tool: unknown): Text[] {
  const texts: Text[] = [];
  const queue: { value: unknown; pointer: string }[] = [{ value: tool, pointer: "" }];
  for (let at = 0; at < queue.length && texts.length < limits.texts; at += 1) {
    const { value, pointer } = queue[at]!;
    if (typeof value === "string") texts.push({ pointer, text: value.slice(0, limits.textChars) });
    else if (typeof value === "object" && value !== null)
      for (const [key, each] of Object.entries(value)) {
        if (queue.length >= 4 * limits.texts) break;
        if (!Array.isArray(value) && key.length > 3)
          texts.push({ pointer, text: key.slice(0, limits.textChars) });
        if (typeof each === "string" || typeof each === "object")
          queue.push({ value: each, pointer: `${pointer}/${escaped(key)}` });
      }
  }
  return texts;
}
