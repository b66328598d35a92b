import type { Limit, PolicyDocument, Predicate, Rule, ToolDefinition, ToolPolicy } from "../types.ts";
import { type Inspected, inspect } from "./classify.ts";
import { DANGEROUS } from "./dangerous-text.ts";
import { limits } from "./limits.ts";
import type { CodeInput } from "./signals.ts";
import { type Classification, TOOL_CLASSES } from "./types.ts";

/** Calls a minute that a suggested policy allows a grant. */
const PER_MINUTE = { write: 30, execute: 10, financial: 5 } as const;
const COUNTER_CHARS = 190;

/**
 * A policy to begin with, under default deny:
 * - what reads is allowed;
 * - what writes is allowed 30 times a minute and grant;
 * - what runs something is allowed 10 times a minute: SQL that only reads by itself, everything else once a person has
 *   approved the call; what is plainly dangerous in its text is denied;
 * - what moves money is allowed 5 times a minute, each time with a person's approval;
 * - what destroys is hidden, and so is a tool whose definition speaks to the model in a way no description does;
 * - a tool with several actions is listed; its destructive, financial and running actions need a person's approval, and
 *   actions that it does not know are denied.
 *
 * Always valid. Of tools with the same name the gravest counts; tools whose name no policy can hold, and those beyond
 * `limits.documentBytes`, are left out, which denies them. Pure, never throws.
 */
export function suggestPolicy(tools: readonly ToolDefinition[]): PolicyDocument {
  const gravest = new Map<string, Inspected>();
  for (const tool of tools) {
    const inspected = inspect(tool);
    const { name } = inspected.classification;
    if (!isSpeakable(name)) continue;
    const known = gravest.get(name);
    if (known === undefined || gravity(inspected) > gravity(known)) gravest.set(name, inspected);
  }
  const hide: string[] = [];
  const listed: [string, ToolPolicy][] = [];
  let bytes = 0;
  for (const [name, inspected] of gravest) {
    const policy = policyOf(inspected);
    bytes += bytesOf(name) + (policy === null ? 0 : bytesOf(policy));
    if (bytes > limits.documentBytes || hide.length + listed.length >= limits.suggestedTools) break;
    if (policy === null) hide.push(name);
    else listed.push([name, policy]);
  }
  // Not by assignment: a tool may be called `__proto__`.
  return {
    version: "1",
    default: "deny",
    ...(hide.length > 0 ? { hide } : {}),
    tools: Object.fromEntries(listed),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a document holds none in names
const CONTROL = /[\u0000-\u001f\u007f]/;
/** `*` would speak of all tools. */
const isSpeakable = (name: string): boolean =>
  name !== "" &&
  name !== "*" &&
  name.length <= limits.nameChars &&
  name.isWellFormed() &&
  !CONTROL.test(name);

const gravity = ({ classification }: Inspected): number =>
  TOOL_CLASSES.indexOf(classification.class) + (speaksToModel(classification) ? TOOL_CLASSES.length : 0);

const speaksToModel = ({ signals }: Classification): boolean =>
  signals.some(({ kind }) => kind === "instructions");

/** What is said of one tool; null hides it. */
function policyOf(inspected: Inspected): ToolPolicy | null {
  const { classification } = inspected;
  if (speaksToModel(classification)) return null;
  if (classification.actions !== undefined) return policyOfActions(inspected);
  switch (classification.class) {
    case "read":
      return {};
    case "write":
      return { limits: [perMinute(classification.name, PER_MINUTE.write)] };
    case "execute":
      return policyOfRunning(inspected);
    case "financial":
      return {
        approve_if: [always("It moves money: a person has to approve it.")],
        limits: [perMinute(classification.name, PER_MINUTE.financial)],
      };
    case "destructive":
      return null;
  }
}

const perMinute = (tool: string, max: number): Limit => ({
  ...{ counter: `${cut(tool, COUNTER_CHARS)}_rate`, window: "minute", max, scope: "grant" },
  on_deny: `At most ${max} calls a minute; wait for the next minute.`,
});

const always = (why: string): Rule => ({ conditions: [], on_deny: why });

function policyOfRunning({ classification, code, required }: Inspected): ToolPolicy {
  const ruled = ruledArguments(code);
  const deny = ruled.flatMap((each) => denials(each, required));
  const onlySql =
    code.length > 0 && ruled.length === code.length && code.every(({ language }) => language === "sql");
  const ask = onlySql
    ? ruled.map(({ path }) => ({
        conditions: [{ path, op: "regex" as const, value: DANGEROUS.sql.asked }],
        on_deny: "It may change something: a person has to approve it.",
      }))
    : [always("It runs something: a person has to approve it.")];
  return {
    ...(deny.length > 0 ? { deny_if: deny } : {}),
    approve_if: ask,
    limits: [perMinute(classification.name, PER_MINUTE.execute)],
  };
}

/** An argument that is run, with the path rules name it by. */
interface RuledArgument {
  readonly path: string;
  readonly input: CodeInput;
}

function ruledArguments(code: readonly CodeInput[]): RuledArgument[] {
  return code.slice(0, limits.ruledArguments).flatMap((input) => {
    const { schema, path: steps } = input.parameter;
    const path = pathOf(schema.type === "array" ? [...steps, "*"] : steps);
    return path === null ? [] : [{ path, input }];
  });
}

/** A path as rules spell it; null when they can't. */
function pathOf(steps: readonly string[]): string | null {
  if (!steps.every((step) => step.isWellFormed()) || steps.length > 16) return null;
  const path = `args${steps.map((step) => (/^(?:\w+|\*)$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`)).join("")}`;
  return path.length <= 500 ? path : null;
}

function denials({ path, input }: RuledArgument, required: ReadonlySet<string>): Rule[] {
  const { denied, message } = DANGEROUS[input.language];
  const { path: steps } = input.parameter;
  const isThere: Predicate[] =
    steps.length === 1 && required.has(steps[0]!) ? [] : [{ path, op: "exists", value: true }];
  return denied.map((value) => ({
    conditions: [...isThere, { path, op: "regex", value }],
    on_deny: message,
  }));
}

function policyOfActions({ classification, code, required }: Inspected): ToolPolicy | null {
  const { name, actions = [], action_field: field } = classification;
  const named = (classes: readonly string[]) =>
    actions.filter((each) => classes.includes(each.class)).map((each) => each.action);
  const isCritical = classification.risk === "critical";
  let critical = named(["destructive", "financial"]);
  // The tool as a whole is grave and none of its actions says that it is the one.
  if (isCritical && critical.length === 0) critical = named(["write", "execute"]);
  const path = field === undefined ? null : pathOf([field]);
  const canTell = path !== null && actions.every(({ action }) => action.isWellFormed());
  if (isCritical && (!canTell || critical.length === 0 || critical.length === actions.length)) {
    return classification.class === "financial"
      ? policyOf({ classification: withoutActions(classification), code, required })
      : null;
  }
  if (classification.class === "read") return {};
  if (!canTell) return policyOf({ classification: withoutActions(classification), code, required });
  const oneOf = (value: readonly string[], why: string): Rule[] =>
    value.length === 0 ? [] : [{ conditions: [{ path, op: "in", value }], on_deny: why }];
  const ruled = ruledArguments(code);
  const ask = [
    ...oneOf(critical, "The action is destructive or moves money: a person has to approve it."),
    ...oneOf(
      named(["execute"]).filter((each) => !critical.includes(each)),
      "The action runs something: a person has to approve it.",
    ),
    ...ruled.map((each) => ({
      conditions: [{ path: each.path.replace(/\.\*.*$/, ""), op: "exists" as const, value: true }],
      on_deny: "It brings something that is run: a person has to approve it.",
    })),
  ];
  const deny = ruled.flatMap((each) => denials(each, required));
  return {
    require: oneOf(
      actions.map(({ action }) => action),
      "Say which action, and one that the tool has.",
    ),
    ...(deny.length > 0 ? { deny_if: deny } : {}),
    ...(ask.length > 0 ? { approve_if: ask } : {}),
    limits: [perMinute(name, PER_MINUTE.write)],
  };
}

function withoutActions(classification: Classification): Classification {
  const { actions: _actions, action_field: _field, ...rest } = classification;
  return rest;
}

const encoder = new TextEncoder();
/** As JSON in UTF-8, with what separates it from its neighbours. */
const bytesOf = (value: unknown): number => encoder.encode(JSON.stringify(value)).length + 2;

/** The first characters, never half of one. */
const cut = (text: string, chars: number): string => text.slice(0, chars).toWellFormed();
