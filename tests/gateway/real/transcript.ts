/** A JSON-RPC message as a client saw it. */
export type Wire = any;

/** The part of a transport that is written down; those of both SDKs have it. */
interface Recordable {
  send(message: never, options?: never): Promise<void>;
  onmessage?: unknown;
}

/** Everything a client sent and got, in order. */
export interface Recording {
  readonly sent: Wire[];
  readonly got: Wire[];
}

/** Writes down what goes through a transport, before anybody reads or changes it. */
export function record(transport: object): Recording {
  const recording: Recording = { sent: [], got: [] };
  const recorded = transport as Recordable & { onmessage?: (message: Wire, extra: unknown) => void };
  const send = recorded.send.bind(recorded);
  recorded.send = (message, options) => {
    recording.sent.push(structuredClone(message));
    return send(message, options);
  };
  let handler: ((message: Wire, extra: unknown) => void) | undefined;
  const known = new WeakSet<object>();
  Object.defineProperty(recorded, "onmessage", {
    get: () => handler,
    set(given: typeof handler) {
      handler = (message, extra) => {
        // Handlers call those that were there before them.
        if (!known.has(message)) recording.got.push(structuredClone(message));
        known.add(message);
        given?.(message, extra);
      };
    },
  });
  return recording;
}

/** A conversation, in the order in which each of its parts is promised to come. */
export interface Transcript {
  /** By the request, in the order they were sent. */
  readonly answers: Record<string, Wire>;
  /** By token. */
  readonly progress: Record<string, Wire[]>;
  /** Whether all progress of a request came before its answer. */
  readonly progressInTime: boolean;
  /** Other notifications, by method. */
  readonly notifications: Record<string, Wire[]>;
  /** What the server asked of the client. */
  readonly asked: Wire[];
}

/** What was said, without what necessarily differs from one conversation to the next. `names` are the conversation's own. */
export function transcriptOf({ sent, got }: Recording, names: readonly string[] = []): Transcript {
  const answers: Record<string, Wire> = {};
  const progress: Record<string, Wire[]> = {};
  const notifications: Record<string, Wire[]> = {};
  const asked: Wire[] = [];
  const answered = new Set<unknown>();
  let progressInTime = true;
  for (const message of got) {
    if (message.method === undefined) {
      const request = sent.find(({ id, method }) => method !== undefined && id === message.id);
      answers[`${String(message.id).padStart(3, "0")} ${request?.method}`] = message;
      answered.add(request?.params?._meta?.progressToken);
    } else if (message.id !== undefined) asked.push(message);
    else if (message.method === "notifications/progress") {
      const token = message.params.progressToken;
      if (answered.has(token)) progressInTime = false;
      progress[token] = [...(progress[token] ?? []), message];
    } else notifications[message.method] = [...(notifications[message.method] ?? []), message];
  }
  const sorted = Object.fromEntries(Object.entries(answers).sort());
  return normal({ answers: sorted, progress, progressInTime, notifications, asked }, names);
}

const TIME = /\d{1,2}:\d\d:\d\d [AP]M/g;
const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g;
const ID = /\b([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})\b/g;
/** One of these is picked by lot each time. */
const LOT =
  /(Debug-level|Info-level|Notice-level|Warning-level|Error-level|Critical-level|Alert|Emergency-level) (level-)?message/;

/** A value without times, ids made by lot and the given names. Pure. */
export function normal<T>(value: T, names: readonly string[] = []): T {
  const text = (given: string): string => {
    let kept = given;
    for (const name of names) kept = kept.replaceAll(name, "NAME");
    kept = kept.replace(TIME, "TIME").replace(INSTANT, "INSTANT").replace(ID, "ID");
    return kept.replace(LOT, "LOT message");
  };
  const walk = (given: unknown): unknown => {
    if (typeof given === "string") return text(given);
    if (Array.isArray(given)) return given.map(walk);
    if (typeof given !== "object" || given === null) return given;
    const entries = Object.entries(given).map(([key, inner]) => [
      key,
      key === "blob" && typeof inner === "string" ? blob(inner, text) : walk(inner),
    ]);
    const walked = Object.fromEntries(entries);
    if (typeof walked.data === "string" && walked.data.startsWith("LOT")) walked.level = "LOT";
    return walked;
  };
  return walk(value) as T;
}

/** A text that says when it was made is compared without that. */
function blob(base64: string, text: (given: string) => string): string {
  const said = Buffer.from(base64, "base64").toString("utf8");
  return said.includes("created at") ? text(said) : base64;
}
