import { z } from "zod";
import type { JsonObject } from "../../ledger/service.ts";
import { limits } from "../limits.ts";
import type { Problem } from "./applies-to.ts";
import { type Decimal, decimalOf, readDecimal } from "./decimal.ts";
import { type Path, readPath, type Scalar } from "./payload-path.ts";
import { DAYS, isTimezone, type QuietHours, readTimeOfDay } from "./quiet-hours.ts";
import { plainUnit } from "./unit.ts";
import { WINDOWS, type Window } from "./windows.ts";

/** What a principle demands, ready to be computed. */
export type Constraint =
  | { readonly type: "max_per_window"; readonly max: number; readonly window: Window }
  | {
      readonly type: "max_amount_per_window";
      readonly field: Path;
      readonly max: Decimal;
      readonly window: Window;
      /** In lower case; null: any unit is counted alike. */
      readonly unit: string | null;
      readonly unitField: Path;
      /** Without an amount it is a conflict. */
      readonly required: boolean;
    }
  | {
      readonly type: "allowed_values";
      readonly field: Path;
      readonly values: readonly Scalar[];
      readonly required: boolean;
    }
  | { readonly type: "forbidden_values"; readonly field: Path; readonly values: readonly Scalar[] }
  | {
      readonly type: "approval_above";
      readonly field: Path;
      readonly threshold: Decimal;
      readonly required: boolean;
    }
  | ({ readonly type: "quiet_hours" } & QuietHours);

export type Effect = "require_approval" | "reject";

const path = z.string().transform((text, context): Path => {
  const read = readPath(text, limits.pathSegments);
  if (read !== null) return read;
  context.addIssue("this is no dotted path into a payload, such as attrs.amount");
  return z.NEVER;
});
const decimal = z.union([z.number(), z.string().max(100)]).transform((value, context): Decimal => {
  const read = typeof value === "number" ? decimalOf(value) : readDecimal(value);
  if (read !== null && read.units >= 0n) return read;
  context.addIssue('a number not below 0 is expected, e.g. 1000 or "1000.50"');
  return z.NEVER;
});
const timeOfDay = z.string().transform((text, context): number => {
  const read = readTimeOfDay(text);
  if (read !== null) return read;
  context.addIssue('a time of day is expected, e.g. "22:00"');
  return z.NEVER;
});
const timezone = z
  .string()
  .max(100)
  .refine(isTimezone, "there is no such time zone; use a name such as Europe/Berlin");
const values = z
  .array(z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .min(1)
  .max(limits.principleValues);
const count = z.number().int().min(0).max(1_000_000_000);
const window = z.enum(WINDOWS);
const required = z.boolean().default(false);

/** `n` and `max` say the same; exactly one of them is given. */
const perWindow = (named: Window | null) =>
  z
    .strictObject({
      n: count.optional(),
      max: count.optional(),
      window: named === null ? window : window.optional(),
    })
    .transform(({ n, max, window }, context): Constraint => {
      if ((n === undefined) === (max === undefined)) context.addIssue("n (or max, not both) is missing");
      if (named !== null && window !== undefined && window !== named)
        context.addIssue(`window is ${named} here`);
      return { type: "max_per_window", max: n ?? max ?? 0, window: named ?? window ?? "week" };
    });

const READERS: Readonly<Record<string, z.ZodType<Constraint>>> = {
  max_per_window: perWindow(null),
  max_per_hour: perWindow("hour"),
  max_per_day: perWindow("day"),
  max_per_week: perWindow("week"),
  max_per_month: perWindow("month"),
  max_amount_per_window: z
    .strictObject({
      field: path,
      max: decimal,
      window,
      unit: z.string().transform(plainUnit).pipe(z.string().min(1).max(50)).optional(),
      unit_field: path.optional(),
      required,
    })
    .transform(({ unit, unit_field, ...rest }) => ({
      type: "max_amount_per_window" as const,
      ...rest,
      unit: unit ?? null,
      unitField: unit_field ?? [...rest.field.slice(0, -1), "unit"],
    })),
  allowed_values: z
    .strictObject({ field: path, values, required })
    .transform((params) => ({ type: "allowed_values" as const, ...params })),
  forbidden_values: z
    .strictObject({ field: path, values })
    .transform((params) => ({ type: "forbidden_values" as const, ...params })),
  approval_above: z
    .strictObject({ field: path, threshold: decimal, required })
    .transform((params) => ({ type: "approval_above" as const, ...params })),
  quiet_hours: z
    .strictObject({ from: timeOfDay, to: timeOfDay, timezone, days: z.array(z.enum(DAYS)).min(1).optional() })
    .transform(({ from, to, timezone, days }, context): Constraint => {
      if (from === to || from === 1_440 || to === 0) {
        context.addIssue(
          'from and to are two times of day, e.g. "22:00" and "06:00", or "00:00" and "24:00"',
        );
      }
      return { type: "quiet_hours", from, until: to, timezone, days: days ?? null };
    }),
};

const spec = z.strictObject({
  type: z.string(),
  params: z.record(z.string(), z.unknown()).default({}),
  effect: z.enum(["require_approval", "reject"]).default("require_approval"),
});

/** Reads `constraint_spec`: `{type, params, effect?}`. Pure; either what it means, or everything wrong with it. */
export function readConstraint(
  constraint: JsonObject,
): { readonly read: Constraint; readonly effect: Effect } | { readonly problems: readonly Problem[] } {
  const outer = spec.safeParse(constraint);
  if (!outer.success) return { problems: problemsOf(outer.error, "constraint_spec") };
  const { type, params, effect } = outer.data;
  const reader = Object.hasOwn(READERS, type) ? READERS[type] : undefined;
  if (reader === undefined) {
    const message = `there is no constraint type ${JSON.stringify(type)}; there are ${Object.keys(READERS).join(", ")}`;
    return { problems: [{ path: "constraint_spec.type", message }] };
  }
  const inner = reader.safeParse(params);
  if (!inner.success) return { problems: problemsOf(inner.error, "constraint_spec.params") };
  return { read: inner.data, effect };
}

const problemsOf = (error: z.ZodError, root: string): Problem[] =>
  error.issues.map((issue) => ({ path: [root, ...issue.path].join("."), message: issue.message }));
