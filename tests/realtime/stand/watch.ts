import { apiAs } from "../../support/api.ts";
import type { Frame } from "../../support/realtime.ts";
import type { Looker, Row } from "./expressions.ts";
import type { Ground } from "./ground.ts";
import { insisting, placeNow } from "./sql.ts";
import type { Wish } from "./truth.ts";

/** A place behind all others. */
const NOT_YET = "F".repeat(16);

/** What a watch needs of where it is. */
export interface WatchPorts {
  readonly ground: Ground;
  readonly appId: string;
  readonly looker: Looker;
  /** Where the data API is asked. */
  apiUrl(): string;
  keyOf(table: string, row: Row): string;
}

/** The current rows as `initial` frames gave them. */
export interface Initial {
  /** Everything up to here is in the rows. */
  readonly from: string;
  /** Nothing behind this place is in them: it was committed after they had come. */
  to: string;
  /** It was begun anew before it was judged: what is missing then need not be in the rows. */
  over: boolean;
  readonly rows: readonly Row[];
}

/**
 * One subscription as a careful client holds it: a view made of the current rows and the changes since, begun anew at
 * each `resync`. It keeps what it was sent, for the judge.
 */
export class Watch {
  readonly wish: Wish;
  readonly id: string | null;
  readonly initial: boolean;
  /** Change frames since the judge last looked. */
  frames: Frame[] = [];
  initials: Initial[] = [];
  /** All resyncs: why, and from where it wanted to go on if it was away. */
  readonly breaks: { readonly reason: string; readonly since: string | null }[] = [];
  readonly problems: string[] = [];
  /** Transactions up to this place may be missing: the view was made anew behind them. */
  excusedTo = "";
  /** The last `seq` known: nothing up to it may come again. */
  position = "";
  /** The last subscribe frame had a `since`, and what became of it. */
  #return: "none" | "asked" | "answered" = "none";
  /** The first half of that `since`. */
  #since = "";
  /** Its `initial` rows are still to come: to go on from a `seq` would be to go on without them. */
  awaitsRows = false;
  /** It stood, and the server said that it goes on from `since`. */
  resumed = 0;
  #standing = false;
  #view: Map<string, Row> | null = null;
  /** Frames that came while the rows were being fetched. */
  #meanwhile: Frame[] = [];
  #generation = 0;
  #fetching: Promise<void> = Promise.resolve();
  #rows: Row[] = [];
  readonly #ports: WatchPorts;

  constructor(ports: WatchPorts, wish: Wish, id: string | null, initial: boolean) {
    this.#ports = ports;
    this.wish = wish;
    this.id = id;
    this.initial = initial;
  }

  get looker(): Looker {
    return this.#ports.looker;
  }

  get name(): string {
    const { table, filters, columns } = this.wish;
    const filter = filters === null ? "" : ` where ${filters.map(({ query }) => query).join(" | ")}`;
    return `${this.looker.name}'s ${this.id ?? "(no id)"} on ${table}${filter}${columns === null ? "" : ` of ${columns}`}`;
  }

  /** The view, once nothing is being fetched any more. Its current rows may take longer than what others are sent. */
  async settledView(withinMs = 15_000): Promise<Map<string, Row>> {
    const deadline = Date.now() + withinMs;
    let fetching: Promise<void>;
    do {
      fetching = this.#fetching;
      await fetching;
      if (this.#view === null) await new Promise((resolve) => setTimeout(resolve, 5));
    } while (fetching !== this.#fetching || (this.#view === null && Date.now() < deadline));
    if (this.#view === null) throw new Error(`${this.name} has no view: its current rows never came`);
    return this.#view;
  }

  /** A subscribe frame goes out. */
  ask(since: boolean): void {
    this.#standing = false;
    this.#return = since ? "asked" : "none";
    this.#since = this.position.slice(0, 16);
  }

  /** What is wrong by itself, now that nothing is under way. */
  faults(): readonly string[] {
    if (this.#return === "asked")
      return [...this.problems, "it came back with `since`, and got neither `resumed` nor `resync`"];
    return this.problems;
  }

  /** The socket is gone: what another one says is not about this subscription, until it stands there too. */
  lost(): void {
    this.#standing = false;
  }

  onSubscribed(frame: Frame): void {
    this.#standing = true;
    const since = this.#return !== "none";
    if (frame.resumed === true) {
      this.#return = "answered";
      if (!since) this.problems.push("it is said to be resumed without having asked");
      this.resumed += 1;
      return;
    }
    if (typeof frame.seq === "string") this.#moveTo(frame.seq, "subscribed");
    if (!this.initial || since) this.begin();
    else {
      // Until `initial` says where it stands, nothing is due.
      this.#generation += 1;
      this.awaitsRows = true;
      this.excusedTo = NOT_YET;
      this.#view = null;
      this.#rows = [];
      this.#meanwhile = [];
    }
  }

  onInitial(frame: Frame): void {
    this.#rows.push(...frame.rows);
    if (frame.done !== true) return;
    this.awaitsRows = false;
    this.#moveTo(frame.seq, "initial");
    const initial: Initial = { from: frame.seq.slice(0, 16), to: NOT_YET, over: false, rows: this.#rows };
    this.initials.push(initial);
    this.#fetching = this.#measure(initial, this.#generation);
    this.#view = new Map(this.#rows.map((row) => [this.#key(row), row]));
    this.#rows = [];
    for (const late of this.#meanwhile) this.#apply(late);
    this.#meanwhile = [];
  }

  /** Until when something may have been in the rows already, rather than come by itself. */
  async #measure(initial: Initial, generation: number): Promise<void> {
    initial.to = await insisting(() => placeNow(this.#ports.ground.db));
    if (generation === this.#generation) this.excusedTo = initial.to;
  }

  onHeartbeat(frame: Frame): void {
    if (this.#standing && typeof frame.seq === "string" && frame.seq > this.position)
      this.position = frame.seq;
  }

  onResync(frame: Frame): void {
    this.breaks.push({ reason: frame.reason, since: this.#return === "asked" ? this.#since : null });
    if (this.#return === "asked") this.#return = "answered";
    this.begin();
  }

  onChange(frame: Frame): void {
    if (!(frame.seq > this.position)) {
      this.problems.push(`${frame.seq} comes after ${this.position}: ${JSON.stringify(frame).slice(0, 300)}`);
    }
    this.position = frame.seq > this.position ? frame.seq : this.position;
    this.frames.push(frame);
    if (this.#view === null) this.#meanwhile.push(frame);
    else this.#apply(frame);
  }

  /** Fetches the rows, and lays over them what comes from here on. */
  begin(): void {
    this.awaitsRows = false;
    for (const initial of this.initials) initial.over = true;
    const generation = ++this.#generation;
    this.#view = null;
    this.#meanwhile = [];
    this.#rows = [];
    this.excusedTo = NOT_YET;
    this.#fetching = this.#fetch(generation);
  }

  async #fetch(generation: number): Promise<void> {
    // Whatever was committed before this may have been missed; the rest has to come.
    const place = await insisting(() => placeNow(this.#ports.ground.db));
    if (generation !== this.#generation) return;
    this.excusedTo = place;
    const rows = await this.selected();
    if (generation !== this.#generation) return;
    const view = new Map(rows.map((row) => [this.#key(row), row]));
    this.#view = view;
    for (const frame of this.#meanwhile) this.#apply(frame);
    this.#meanwhile = [];
  }

  /** What the data API shows this identity under the filter and the columns. */
  async selected(): Promise<readonly Row[]> {
    const { appId, looker } = this.#ports;
    const { table, filters, columns } = this.wish;
    const select = columns === null ? "" : `&select=${columns.join(",")}`;
    const found = new Map<string, Row>();
    for (const query of filters?.map((filter) => filter.query) ?? [""]) {
      const path = `/v1/${appId}/${table}?limit=10000${select}${query === "" ? "" : `&${query}`}`;
      const rows = await insisting(async () => {
        const answer = await apiAs(this.#ports.apiUrl(), looker.token)("GET", path);
        // A server that has just lost its database says so with 503.
        if (answer.status >= 500) throw new Error(`${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
        if (answer.status !== 200)
          throw Object.assign(new Error(`${path}: ${JSON.stringify(answer.body)}`), { code: "00000" });
        return answer.body as Row[];
      });
      for (const row of rows) found.set(this.#key(row), row);
    }
    return [...found.values()];
  }

  #key(row: Row): string {
    return this.#ports.keyOf(this.wish.table, row);
  }

  #moveTo(seq: string, what: string): void {
    if (!/^[0-9A-F]{16}-[0-9A-F]{8}$/.test(seq)) this.problems.push(`${what} has the seq ${seq}`);
    if (seq < this.position) this.problems.push(`${what} stands at ${seq}, before ${this.position}`);
    else this.position = seq;
  }

  #apply({ record, old_record }: Frame): void {
    const view = this.#view!;
    if (old_record !== null) view.delete(this.#key(old_record));
    if (record !== null) view.set(this.#key(record), record);
  }
}
