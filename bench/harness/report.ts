import type { Finding, Target } from "./bench.ts";

/** A measure as it is printed. */
export interface Measure {
  readonly measure: string;
  readonly value: number;
  readonly unit: string;
  readonly baseline: number | null;
  /** Value by baseline; where the conditions say so, the median of the rounds' ratios. */
  readonly ratio: number | null;
  /** In words, such as `ratio ≥ 0.35`. */
  readonly target: string | null;
  /** Whether the target is met; null when there is none. */
  readonly holds: boolean | null;
  readonly conditions: string;
}

/** Completes a finding: ratio, verdict, and the machine in words. Pure. */
export function toMeasure(finding: Finding, machine: string): Measure {
  const { measure, unit, target } = finding;
  const value = rounded(finding.value);
  const baseline = finding.baseline === undefined ? null : rounded(finding.baseline);
  const ratio = baseline === null ? null : rounded(finding.ratio ?? finding.value / finding.baseline!);
  return {
    measure,
    value,
    unit,
    baseline,
    ratio,
    target: target === undefined ? null : describeTarget(target, unit),
    holds: target === undefined ? null : meets(target, value, ratio),
    conditions: `${finding.conditions}; ${machine}`,
  };
}

/** Whether a target is met. A target for a ratio is not met when there is nothing to compare with. */
export function meets(target: Target, value: number, ratio: number | null): boolean {
  const measured = target.of === "value" ? value : ratio;
  if (measured === null) return false;
  return target.bound === "≤" ? measured <= target.number : measured >= target.number;
}

const describeTarget = ({ of, bound, number }: Target, unit: string): string =>
  of === "value" ? `${bound} ${number} ${unit}` : `ratio ${bound} ${number}`;

/** Four significant digits; more would be noise. Whole numbers keep theirs. */
const rounded = (value: number): number =>
  Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(4));

/** One measure in the table that people read. */
export function tableRow(measure: Measure): string {
  const number = (value: number | null) => (value === null ? "–" : value.toLocaleString("en"));
  const verdict = measure.holds === null ? " " : measure.holds ? "✓" : "✗";
  return [
    verdict,
    measure.measure.padEnd(34),
    number(measure.value).padStart(9),
    measure.unit.padEnd(10),
    number(measure.baseline).padStart(9),
    number(measure.ratio).padStart(7),
    ` ${measure.target ?? "–"}`,
  ].join(" ");
}

export const TABLE_HEAD = [
  " ",
  "measure".padEnd(34),
  "value".padStart(9),
  "unit".padEnd(10),
  "baseline".padStart(9),
  "ratio".padStart(7),
  " target",
].join(" ");
