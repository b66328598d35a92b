import { classOfDescription } from "./description.ts";
import { limits } from "./limits.ts";
import { classOfName } from "./name.ts";
import { type ClassifiedAction, type Evidence, riskOf, type ToolClass, worse } from "./types.ts";
import { isObject, type Loose, listOf, resolve, textOf, type Walked } from "./walk.ts";

/** Names of the argument that says which action; the first that a schema has. */
const FIELDS = ["action", "operation", "method", "op", "command", "subcommand", "verb"] as const;

/** The actions of a tool, and where the argument is that chooses among them. */
export interface ToolActions {
  readonly actions: readonly ClassifiedAction[];
  /** Null when it is deeper than the tool's own arguments. */
  readonly field: string | null;
}

/** An action before it is classified. */
interface Found {
  readonly descriptions: Set<string>;
}

/**
 * The actions a tool's input chooses among: an `action` (or the like) that is one of a list, or whose value tells
 * alternatives apart. An action that says nothing is `otherwise`, what the tool's name says. Null for a tool that is one
 * action by itself. Pure.
 */
export function actionsOf(walked: Walked, root: unknown, otherwise: ToolClass | null): ToolActions | null {
  const byPlace = new Map<string, { field: string; top: boolean; found: Map<string, Found> }>();
  for (const { schema, path } of walked.objects) {
    const properties = schema.properties as Loose;
    for (const field of FIELDS) {
      if (!Object.hasOwn(properties, field)) continue;
      const choices = choicesOf(properties[field], root);
      if (choices.size === 0 || !chooses(field, choices.size, schema, otherwise)) continue;
      const key = JSON.stringify([...path, field]);
      const place = byPlace.get(key) ?? { field, top: path.length === 0, found: new Map() };
      byPlace.set(key, place);
      const ofBranch = choices.size === 1 ? `${textOf(schema.title)}. ${textOf(schema.description)}` : "";
      for (const [name, description] of choices) {
        if (place.found.size >= limits.actions) break;
        const known = place.found.get(name) ?? { descriptions: new Set() };
        place.found.set(name, known);
        for (const each of [description, textOf(schema.description), textOf(schema.title)])
          if (each !== "" && (each === description || ofBranch !== "")) known.descriptions.add(each);
      }
    }
  }
  const places = [...byPlace.values()].filter(({ found }) => found.size > 1);
  // The tool's own argument comes first; deeper ones count where it has none.
  const chosen = places.find(({ top }) => top) ?? places[0];
  if (chosen === undefined) return null;
  return {
    actions: [...chosen.found].map(([name, { descriptions }]) => classified(name, descriptions, otherwise)),
    field: chosen.top ? chosen.field : null,
  };
}

/**
 * Whether the argument says what is to be done. One that may be left out is as likely to say of what else is spoken: which
 * changes a log is searched for, which statements a rule is about.
 */
function chooses(field: string, choices: number, schema: Loose, named: ToolClass | null): boolean {
  // An alternative of its own, or an argument that every call has.
  if (choices === 1 || listOf(schema.required).includes(field)) return true;
  const property = (schema.properties as Loose)[field];
  const hasDefault = isObject(property) && "default" in property;
  return ["action", "operation", "op"].includes(field) && (named !== "read" || hasDefault);
}

/** The values a schema allows where it allows only some, with what is said of each. */
function choicesOf(property: unknown, root: unknown, depth = 0): Map<string, string> {
  const choices = new Map<string, string>();
  const schema = resolve(property, root);
  if (!isObject(schema) || depth > 3) return choices;
  const told = textOf(schema.description) || textOf(schema.title);
  if (typeof schema.const === "string") choices.set(schema.const, told);
  const named = listOf(schema.enum).filter((each) => typeof each === "string");
  for (const each of named.slice(0, limits.actions)) choices.set(each, named.length === 1 ? told : "");
  for (const keyword of ["oneOf", "anyOf"])
    for (const each of listOf(schema[keyword]).slice(0, limits.actions))
      for (const [name, description] of choicesOf(each, root, depth + 1)) choices.set(name, description);
  return choices;
}

function classified(
  action: string,
  descriptions: ReadonlySet<string>,
  otherwise: ToolClass | null,
): ClassifiedAction {
  const named = classOfName(action);
  let found: ToolClass = named.class ?? otherwise ?? "write";
  const evidence: Evidence[] = [...named.evidence];
  if (named.class === null)
    evidence.push({ source: "name", text: otherwise === null ? UNSAID : "says as much as the tool's name" });
  for (const description of descriptions) {
    const described = classOfDescription(description);
    if (described.class === null) continue;
    found = worse(found, described.class);
    evidence.push(...described.evidence);
  }
  return { action, class: found, risk: riskOf(found), evidence };
}

/** Whether an action's class is more than what was taken for want of evidence. */
export const isSaid = ({ evidence }: ClassifiedAction): boolean =>
  evidence.some(({ text }) => text !== UNSAID);

/** Evidence where there is none. */
export const UNSAID = "no word says what it does; taken to change something";
