// What an owner has set and what principles say, as the guide tells it.

import type { Data } from "./memory.ts";

export type VerdictResult = "auto_approved" | "auto_approved_yolo" | "requires_approval" | "rejected";

/** A principle in force with a constraint. */
export interface Principle {
  readonly id: string;
  readonly appliesTo: Data;
  readonly spec: Data;
}

/** Something that was executed. */
export interface Done {
  readonly capability: string;
  readonly payload: Data;
  readonly executedAt: number;
}

export interface Policy {
  readonly mode: "auto" | "approval" | "forbidden";
  readonly approvers: number;
}

const GATED = new Set([
  ...["record_principle", "amend_principle", "retire_principle", "supersede_decision", "delete_entity"],
  ...["merge_entities", "bulk_revert_actions", "send_email_draft", "place_call"],
]);
const GOVERNING = new Set(["record_principle", "amend_principle", "retire_principle"]);
const REACHES_OUT = new Set(["send_email_draft", "place_call"]);
const SKIPPABLE = new Set(["send_email_draft", "upsert_source_artifact"]);

export interface Question {
  readonly capability: string;
  readonly payload: Data;
  readonly human: boolean;
  readonly skip: boolean;
  readonly yolo: boolean;
  readonly policy: Policy | null;
  readonly principles: readonly Principle[];
  readonly done: readonly Done[];
  /** It would undo something that a person approved. */
  readonly undoesApproved: boolean;
  readonly at: number;
}

/** The verdict, and the principles that stand against the proposal, oldest first. */
export function judge(question: Question): { result: VerdictResult; conflicts: string[] } {
  const { capability, policy, human } = question;
  if (policy?.mode === "forbidden") return { result: "rejected", conflicts: [] };
  const against = question.principles.filter((principle) => stands(principle, question));
  const conflicts = against.map(({ id }) => id).sort();
  const rejecting = against.some(({ spec }) => spec.effect === "reject");
  if (rejecting && !GOVERNING.has(capability)) return { result: "rejected", conflicts };
  if (against.length > 0) return { result: "requires_approval", conflicts };
  if ((REACHES_OUT.has(capability) || question.undoesApproved) && !human)
    return { result: "requires_approval", conflicts };
  const mode = policy?.mode ?? (GATED.has(capability) ? "approval" : "auto");
  if (mode === "auto") return { result: "auto_approved", conflicts };
  const maySkip = policy === null && human && SKIPPABLE.has(capability);
  if (maySkip && (question.skip || question.yolo)) return { result: "auto_approved_yolo", conflicts };
  return { result: "requires_approval", conflicts };
}

function valueAt(payload: Data, path: string): unknown {
  let value: unknown = payload;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Data)[name];
  }
  return value;
}

const listed = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

/** Whether the principle is about such a proposal. */
function isAbout(appliesTo: Data, capability: string, payload: Data): boolean {
  return Object.entries(appliesTo).every(([field, wanted]) => {
    if (field === "capability") return listed(wanted).includes(capability);
    const value = valueAt(payload, field);
    return value !== undefined && listed(value).some((each) => listed(wanted).includes(each));
  });
}

const WINDOW_OF: Data = {
  max_per_hour: "hour",
  max_per_day: "day",
  max_per_week: "week",
  max_per_month: "month",
};

/** A name of the calendar window an instant lies in. */
export function windowName(window: string, ms: number): string {
  const iso = new Date(ms).toISOString();
  if (window === "hour") return iso.slice(0, 13);
  if (window === "day") return iso.slice(0, 10);
  if (window === "month") return iso.slice(0, 7);
  const sinceMonday = (new Date(ms).getUTCDay() + 6) % 7;
  return new Date(ms - sinceMonday * 86_400_000).toISOString().slice(0, 10);
}

/** Money without fractions of its smallest part: the suite's amounts have two decimals at most. */
const cents = (amount: number): number => Math.round(amount * 100);
const unitName = (unit: unknown): string | null =>
  typeof unit === "string" ? unit.trim().toLowerCase() : null;

function stands({ appliesTo, spec }: Principle, question: Question): boolean {
  const { capability, payload, at } = question;
  if (!isAbout(appliesTo, capability, payload)) return false;
  const { type, params } = spec as { type: string; params: Data };
  const inWindow = (window: string) =>
    question.done.filter(
      (done) =>
        windowName(window, done.executedAt) === windowName(window, at) &&
        isAbout(appliesTo, done.capability, done.payload),
    );
  if (type.startsWith("max_per_")) {
    return inWindow(WINDOW_OF[type] ?? params.window).length >= (params.n ?? params.max);
  }
  if (type === "max_amount_per_window") return addsUpTooMuch(params, payload, inWindow(params.window));
  if (type === "quiet_hours") return isQuiet(params, at);
  const value = valueAt(payload, params.field);
  if (type === "approval_above") {
    const missing = value === undefined || value === null;
    if (missing) return params.required === true;
    return typeof value !== "number" || value < 0 || cents(value) > cents(params.threshold);
  }
  if (type === "allowed_values") {
    if (value === undefined || value === null) return params.required === true;
    return listed(value).some((each) => !params.values.includes(each));
  }
  const plain = (each: unknown) =>
    typeof each === "string" ? each.normalize("NFKC").trim().toLowerCase() : each;
  return value !== undefined && listed(value).some((each) => params.values.map(plain).includes(plain(each)));
}

function addsUpTooMuch(params: Data, payload: Data, done: readonly Done[]): boolean {
  const unitField = [...params.field.split(".").slice(0, -1), "unit"].join(".");
  const counts = (of: Data) =>
    params.unit === undefined || unitName(valueAt(of, unitField)) === unitName(params.unit);
  const amount = valueAt(payload, params.field);
  if (amount === undefined || amount === null) return params.required === true;
  if (typeof amount !== "number" || amount < 0 || !counts(payload)) return true;
  const before = done
    .filter((each) => counts(each.payload))
    .map((each) => valueAt(each.payload, params.field))
    .filter((each): each is number => typeof each === "number" && each > 0);
  const sum = before.reduce((total, each) => total + cents(each), cents(amount));
  return sum > cents(params.max);
}

/** The suite's time zones keep one offset all year. */
const OFFSET_MINUTES: Data = { UTC: 0, "Asia/Kolkata": 330, "America/Phoenix": -420 };
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const minutes = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

function isQuiet({ from, to, timezone, days = DAYS }: Data, at: number): boolean {
  const local = new Date(at + OFFSET_MINUTES[timezone] * 60_000);
  const minute = local.getUTCHours() * 60 + local.getUTCMinutes();
  const on = (daysAgo: number) => days.includes(DAYS[(local.getUTCDay() + 7 - daysAgo) % 7]);
  const [begin, end] = [minutes(from), minutes(to)];
  if (begin < end) return on(0) && minute >= begin && minute < end;
  return (on(0) && minute >= begin) || (on(1) && minute < end);
}
