import { actionsOf, isSaid, UNSAID } from "./actions.ts";
import { classOfDescription } from "./description.ts";
import { instructionSignals } from "./instructions.ts";
import { OVERWRITING, PURE } from "./lexicon.ts";
import { limits } from "./limits.ts";
import { classOfName, type Said } from "./name.ts";
import { type CodeInput, codeInputs, inputSignals } from "./signals.ts";
import {
  type Classification,
  type ClassifiedAction,
  type Evidence,
  riskOf,
  SIGNAL_KINDS,
  type Signal,
  type ToolClass,
  type ToolDefinition,
  worse,
} from "./types.ts";
import { isObject, type Loose, textOf, walk } from "./walk.ts";

/**
 * What a tool does and how dangerous that is, with the evidence. The name, the schema and the first words of the
 * description tell; a tool that says nothing is taken to change something. Annotations are claims of the server: they may
 * make the class graver and never milder. Pure, never throws, whatever JSON is given; takes well under a millisecond for
 * usual tools and is bounded for all.
 */
export function classify(tool: ToolDefinition): Classification {
  return inspect(tool).classification;
}

/** A classification with what a policy for the tool can be made of. */
export interface Inspected {
  readonly classification: Classification;
  readonly code: readonly CodeInput[];
  /** Arguments of the tool itself that it requires. */
  readonly required: ReadonlySet<string>;
}

export function inspect(given: unknown): Inspected {
  const tool: Loose = isObject(given) ? given : {};
  const name = typeof tool.name === "string" ? tool.name : "";
  const description = textOf(tool.description);
  const walked = walk(tool.inputSchema);
  const code = codeInputs(walked, { name, description });
  const named = classOfName(name);
  const multi = actionsOf(walked, tool.inputSchema, named.class);
  const shown = classShown({ named, description, code, actions: multi?.actions ?? null });
  const annotations = isObject(tool.annotations) ? tool.annotations : {};
  const claimed = claim(shown, named, annotations);
  const mismatch = mismatchOf(shown, annotations);
  const signals = [...inputSignals(walked, code), ...instructionSignals(tool)];
  const classification: Classification = {
    ...{ name, class: claimed.class, risk: riskOf(claimed.class), evidence: claimed.evidence },
    signals: SIGNAL_KINDS.flatMap((kind) => ofKind(signals, kind)),
    ...(multi === null ? {} : { actions: multi.actions }),
    ...(multi === null || multi.field === null ? {} : { action_field: multi.field }),
    ...(mismatch === null ? {} : { annotation_mismatch: mismatch }),
  };
  const required = new Set(
    walked.parameters.filter((each) => each.required && each.path.length === 1).map((each) => each.name),
  );
  return { classification, code, required };
}

const ofKind = (signals: readonly Signal[], kind: Signal["kind"]): Signal[] =>
  signals.filter((signal) => signal.kind === kind).slice(0, limits.signalsOfAKind);

/** What name, description and schema show, before any claim. */
interface Shown {
  readonly class: ToolClass;
  readonly evidence: readonly Evidence[];
  /** What is beyond doubt, which a claim of the opposite contradicts; null when nothing is. */
  readonly certain: ToolClass | null;
}

function classShown(of: {
  readonly named: Said;
  readonly description: string;
  readonly code: readonly CodeInput[];
  readonly actions: readonly ClassifiedAction[] | null;
}): Shown {
  const { named, code, actions } = of;
  let [found, certain] = [named.class, named.class];
  const evidence: Evidence[] = [...named.evidence];
  const graver = (a: ToolClass | null, b: ToolClass) => (a === null ? b : worse(a, b));
  const raise = (to: ToolClass, surely: ToolClass | null, why: readonly Evidence[]) => {
    found = graver(found, to);
    if (surely !== null) certain = graver(certain, surely);
    evidence.push(...why);
  };
  if (actions !== null) {
    const worst = worstOf(actions);
    const gravest = actions.filter((each) => each.class === worst).map((each) => each.action);
    const text = `its actions, of which the gravest are: ${gravest.slice(0, 20).join(", ").slice(0, 300)}`;
    raise(worst, worstOf(actions.filter(isSaid)), [{ source: "schema", text }]);
  }
  // What only looks at code does not run it.
  const isPure = named.verb !== null && PURE.has(named.verb);
  if (code.length > 0 && !isPure) {
    const why = code
      .slice(0, limits.ruledArguments)
      .map(({ why: text }) => ({ source: "schema", text }) as const);
    // A query may be kept from changing anything; code and commands may not.
    raise("execute", code.some(({ language }) => language !== "sql") ? "execute" : null, why);
  }
  const described = classOfDescription(of.description);
  if (described.class !== null) raise(described.class, described.class, described.evidence);
  if (named.class !== null || actions !== null) return { class: found ?? "write", evidence, certain };
  if (found === null) evidence.push({ source: "name", text: UNSAID });
  return { class: worse(found ?? "write", "write"), evidence, certain };
}

const worstOf = (actions: readonly ClassifiedAction[]): ToolClass =>
  actions.map((each) => each.class).reduce(worse, "read");

/** What the server's own annotations make graver. */
function claim(shown: Shown, named: Said, annotations: Loose): Pick<Classification, "class" | "evidence"> {
  const { readOnlyHint, destructiveHint } = annotations;
  // Also beside a readOnlyHint: of two claims that contradict each other the graver counts.
  if (destructiveHint === true) {
    // For the protocol every change of what was there is destructive: a name that says which change knows better.
    const explained = named.verb !== null && OVERWRITING.has(named.verb) && shown.class !== "read";
    const text = explained
      ? `destructiveHint: what "${named.verb}" changes is overwritten`
      : "destructiveHint: the server says that it can destroy";
    const to = explained ? shown.class : worse(shown.class, "destructive");
    return { class: to, evidence: [...shown.evidence, { source: "annotation", text }] };
  }
  if (readOnlyHint === false && shown.class === "read") {
    const text = "readOnlyHint: the server says that it does not only read";
    return { class: "write", evidence: [...shown.evidence, { source: "annotation", text }] };
  }
  return { class: shown.class, evidence: shown.evidence };
}

/** What the annotations deny and the rest shows; null when they agree, or when nothing is shown. */
function mismatchOf({ certain, evidence }: Shown, annotations: Loose): string | null {
  if (certain === null || certain === "read") return null;
  const because = evidence
    .map(({ text }) => text)
    .join("; ")
    .slice(0, 500);
  if (annotations.readOnlyHint === true)
    return `The server calls it read-only (readOnlyHint), and it is of the class ${certain}: ${because}`;
  if (annotations.destructiveHint === false && certain === "destructive")
    return `The server says that it destroys nothing (destructiveHint), and it does: ${because}`;
  return null;
}
