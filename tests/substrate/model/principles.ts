import type { Dice } from "./dice.ts";
import type { Data } from "./memory.ts";

const SUBJECTS: readonly (readonly [capability: string, matchers: readonly Data[]])[] = [
  [
    "upsert_entity",
    [{}, {}, { type: "company" }, { "attrs.team": ["sales", "Legal"] }, { "attrs.tags": "red" }],
  ],
  ["patch_entity", [{}, { "attrs_patch.team": "sales" }]],
  [
    "record_commitment",
    [{}, {}, { status: ["proposed", "tentative"] }, { unit: "EUR" }, { "attrs.deep.a": [0, 1] }],
  ],
  ["record_decision", [{}, { kind: "mission" }]],
  ["record_learning", [{}]],
  ["link_records", [{}, { relation: "knows" }]],
  ["send_email_draft", [{}]],
  ["record_principle", [{}]],
];

/** What a principle is about and what it demands. */
export function principleFields(dice: Dice): { applies_to: Data; constraint_spec: Data } {
  const [capability, matchers] = dice.pick(SUBJECTS);
  const names = dice.chance(0.2) ? [capability, "upsert_source_artifact"] : capability;
  const applies_to = { capability: names, ...dice.pick(matchers) };
  const effect = dice.weighted([
    [5, undefined],
    [2, "require_approval"],
    [2, "reject"],
  ]);
  const constraint_spec = { ...constraint(dice), ...(effect === undefined ? {} : { effect }) };
  return { applies_to, constraint_spec };
}

function constraint(dice: Dice): Data {
  const window = dice.pick(["hour", "day", "week", "month"]);
  const n = dice.int(12);
  return dice.weighted<() => Data>([
    [2, () => ({ type: `max_per_${window}`, params: { n } })],
    [2, () => ({ type: "max_per_window", params: dice.chance(0.5) ? { n, window } : { max: n, window } })],
    [4, () => ({ type: "max_amount_per_window", params: amounts(dice, window) })],
    [
      1,
      () => ({ type: "approval_above", params: { ...field(dice), threshold: dice.pick([0.2, 50, 99.99]) } }),
    ],
    [1, () => ({ type: "allowed_values", params: allowed(dice) })],
    [
      1,
      () => ({ type: "forbidden_values", params: { field: "attrs.team", values: ["ＬＥＧＡＬ", "none"] } }),
    ],
    [1, () => ({ type: "quiet_hours", params: quiet(dice) })],
  ])();
}

const field = (dice: Dice): Data => ({
  field: dice.pick(["amount", "attrs.budget"]),
  ...(dice.chance(0.2) ? { required: true } : {}),
});

const amounts = (dice: Dice, window: string): Data => ({
  ...field(dice),
  max: dice.pick([0.6, 0.3, 100, 612.49, 2_000]),
  window,
  ...(dice.chance(0.4) ? { unit: "Eur" } : {}),
});

const allowed = (dice: Dice): Data =>
  dice.pick([
    { field: "status", values: ["confirmed", "fulfilled", "tentative"] },
    { field: "attrs.team", values: ["sales", "support"], required: true },
    { field: "attrs.tags", values: ["red", "green"] },
    { field: "type", values: ["person", "company"] },
  ]);

/** Hours that begin and end well away from this moment, so that no clock's few milliseconds decide. */
function quiet(dice: Dice): Data {
  const timezone = dice.pick(["UTC", "Asia/Kolkata", "America/Phoenix"]);
  const offset = { UTC: 0, "Asia/Kolkata": 330, "America/Phoenix": -420 }[timezone]!;
  const local = Math.floor(Date.now() / 60_000) + offset;
  const at = (minutes: number) => {
    const minute = (((local + minutes) % 1_440) + 1_440) % 1_440;
    return `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
  };
  const days = dice.chance(0.3) ? { days: dice.some(["mon", "wed", "thu", "sat", "sun"], 3) } : {};
  const length = 240 + dice.int(600);
  const from = dice.chance(0.4) ? -120 - dice.int(100) : 60 + dice.int(300);
  if (from < 0 && from + length < 60) return quiet(dice);
  const [begin, end] = [at(from), at(from + length)];
  return begin === end ? quiet(dice) : { from: begin, to: end, timezone, ...days };
}
