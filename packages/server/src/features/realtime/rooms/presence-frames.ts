import { type Frame, frame } from "../frames.ts";
import { textFrame } from "../web-socket-frame.ts";
import type { Row } from "./merge.ts";

/** What one member went through between two tellings. */
export interface Difference {
  readonly client: string;
  readonly before: Row | null;
  readonly after: Row | null;
}

/** Whether user ids are told: not to anonymous connections. */
export type Sight = "ids" | "no_ids";

/** What members went through, those left out with whom in the end nothing changed. */
export function differences(
  touched: ReadonlyMap<string, Row | null>,
  now: ReadonlyMap<string, Row> | undefined,
): Difference[] {
  const found: Difference[] = [];
  for (const [client, before] of touched) {
    const after = now?.get(client) ?? null;
    if (before?.text !== after?.text || before?.user !== after?.user) found.push({ client, before, after });
  }
  return found;
}

const userText = (row: Row, sight: Sight) => (sight === "ids" ? JSON.stringify(row.user) : "null");

const memberText = (client: string, row: Row, sight: Sight) =>
  `{"client_id":${JSON.stringify(client)},"user_id":${userText(row, sight)},"metadata":${row.text}}`;

const goneText = (client: string, row: Row, sight: Sight) =>
  `"client_id":${JSON.stringify(client)},"user_id":${userText(row, sight)}`;

/** `presence_diff` of a named room. */
export function diffFrame(room: string, changes: readonly Difference[], sight: Sight): Frame {
  const joins: string[] = [];
  const updates: string[] = [];
  const leaves: string[] = [];
  for (const { client, before, after } of changes) {
    if (after !== null) (before === null ? joins : updates).push(memberText(client, after, sight));
    else if (before !== null) leaves.push(`{${goneText(client, before, sight)}}`);
  }
  return textFrame(
    `{"type":"presence_diff","room":${JSON.stringify(room)},"joins":[${joins}],"updates":[${updates}],"leaves":[${leaves}]}`,
  );
}

/** Frames of the app-wide set, one per change, made once for all who see alike. */
export class ChangeFrames {
  readonly all: Frame;
  /** Where the frame about each client stands in `all`. */
  readonly #places = new Map<string, { from: number; to: number }>();

  constructor(changes: readonly Difference[], sight: Sight) {
    const frames = changes.map((change) => textFrame(changeText(change, sight)));
    let at = 0;
    for (const [index, { client }] of changes.entries()) {
      const to = at + frames[index]!.length;
      this.#places.set(client, { from: at, to });
      at = to;
    }
    this.all = Buffer.concat(frames);
  }

  /** All but what is about this client; nothing is copied. */
  for(client: string): Frame[] {
    const place = this.#places.get(client);
    if (place === undefined) return [this.all];
    const around = [this.all.subarray(0, place.from), this.all.subarray(place.to)];
    return around.filter(({ length }) => length > 0);
  }
}

function changeText({ client, before, after }: Difference, sight: Sight): string {
  if (after === null)
    return `{"type":"presence_leave",${goneText(client, before ?? { user: null, text: "" }, sight)}}`;
  if (before === null) return `{"type":"presence_join",${memberText(client, after, sight).slice(1)}`;
  return `{"type":"presence_update","client_id":${JSON.stringify(client)},"metadata":${after.text}}`;
}

/** Makes `presence_state` frames of one room: of a named room with everybody, of the app-wide set without the asker. */
export class StateFrames {
  readonly #head: string;
  readonly #all: string;
  readonly #named: boolean;
  /** Where each member stands in `all`. */
  readonly #places = new Map<string, { from: number; to: number }>();
  #shared: Frame | null = null;

  constructor(room: string | null, members: ReadonlyMap<string, Row> | undefined, sight: Sight) {
    this.#named = room !== null;
    this.#head = `{"type":"presence_state",${room === null ? "" : `"room":${JSON.stringify(room)},`}"clients":[`;
    const texts: string[] = [];
    let at = 0;
    for (const [client, row] of members ?? []) {
      const text = memberText(client, row, sight);
      this.#places.set(client, { from: at, to: at + text.length + 1 });
      at += text.length + 1;
      texts.push(text);
    }
    this.#all = texts.join(",");
  }

  for(client: string): Frame {
    const place = this.#named ? undefined : this.#places.get(client);
    if (place === undefined) {
      this.#shared ??= textFrame(`${this.#head}${this.#all}]}`);
      return this.#shared;
    }
    const others = this.#all.slice(0, place.from) + this.#all.slice(place.to);
    return textFrame(`${this.#head}${others.replace(/,$/, "")}]}`);
  }
}

/** Tells that a connection is out of a room. */
export const untrackedFrame = (room: string | null, reason: string | null): Frame =>
  frame({
    type: "presence_untracked",
    ...(room === null ? {} : { room }),
    ...(reason === null ? {} : { reason }),
  });
