/** Collects TailEvents and counts of runs until they are sent together, within bounds. */

/** From the first run of a batch to its sending: one request per run would halve an app's throughput. */
export const FLUSH_MS = 100;
const MAX_EVENTS = 500;
const MAX_CHARS = 1_000_000;

let events = [];
let chars = 0;
/** Runs whose text no longer fitted, by unit. */
let dropped = new Map();
let runs = new Map();

export function count(unit, kind, outcome) {
  const name = `${unit}\n${kind}\n${outcome}`;
  runs.set(name, (runs.get(name) ?? 0) + 1);
}

export function add(event) {
  const size = sizeOf(event);
  if (events.length >= MAX_EVENTS || chars + size > MAX_CHARS) return drop(event.unit);
  chars += size;
  events.push(event);
}

export function drop(unit) {
  dropped.set(unit, (dropped.get(unit) ?? 0) + 1);
}

/** A TailBatch as JSON, and an empty batch after it. */
export function take() {
  const batch = {
    events: [...events, ...Array.from(dropped, ([unit, lost]) => notice(unit, lost))],
    runs: Array.from(runs, ([name, times]) => {
      const [unit, event, outcome] = name.split("\n");
      return { unit, event, outcome, count: times };
    }),
  };
  events = [];
  chars = 0;
  dropped = new Map();
  runs = new Map();
  return JSON.stringify(batch);
}

/** Tells the developer that lines are missing, as a line. */
function notice(unit, lost) {
  const atMs = Date.now();
  const message = `The logs of ${lost} more runs were dropped: too much was logged at once.`;
  return {
    unit,
    event: "other",
    outcome: "logs_dropped",
    atMs,
    requestId: null,
    method: null,
    path: null,
    status: null,
    actorId: null,
    lines: [{ level: "warn", message, atMs }],
    exceptions: [],
  };
}

/** Characters of text in the event, and a little for the rest. */
function sizeOf(event) {
  let size = 300 + (event.path?.length ?? 0);
  for (const line of event.lines) size += 60 + line.message.length;
  for (const thrown of event.exceptions) size += 60 + thrown.message.length + (thrown.stack?.length ?? 0);
  return size;
}
