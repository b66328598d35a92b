import { expect } from "vitest";
import type { Frame } from "../../support/realtime.ts";
import { Causes } from "./causes.ts";
import { type Client, FENCE } from "./client.ts";
import { type Row, same } from "./expressions.ts";
import { Commits } from "./history.ts";
import { InitialCheck } from "./initials.ts";
import type { Scene } from "./scene.ts";
import { insisting, quoted } from "./sql.ts";
import type { Due } from "./truth.ts";
import type { Watch } from "./watch.ts";

/** What of a frame has to be as it is due. */
const told = ({ op, reason, record, old_record }: Frame): Due => ({ op, reason, record, old_record });

const lsnOf = (frame: Frame): string => frame.seq.slice(0, 16);

/** Holds what the clients of a scene were sent against what happened. */
export class Judge {
  readonly #scene: Scene;
  readonly #clients: readonly Client[];
  readonly #commits: Commits;
  /** Frames that had to come exactly so; those that a resync would have excused; and what it did excuse. */
  readonly counts = {
    exact: 0,
    excusable: 0,
    excused: 0,
    transactions: 0,
    views: 0,
    resyncs: 0,
    initials: 0,
  };
  readonly #causes = new Causes();
  #fence = 0;

  constructor(scene: Scene, clients: readonly Client[]) {
    this.#scene = scene;
    this.#clients = clients;
    this.#commits = new Commits(scene.ground.db, "suite", scene.appId);
  }

  /** Has to be called after the scene was made, before anything is written. */
  async begin(): Promise<void> {
    await this.#commits.skip();
  }

  /** Nothing is being written and everyone is connected: everything is compared. */
  async look(): Promise<void> {
    await this.settle();
    const watches = this.#clients.flatMap((client) => client.watches);
    const views = await Promise.all(watches.map((watch) => watch.settledView()));
    await this.#judgeFrames(watches);
    for (const client of this.#clients) {
      expect(client.errors, `errors told to ${client.ports.looker.name}`).toEqual([]);
      for (const watch of client.watches) {
        expect(watch.faults(), watch.name).toEqual([]);
        const breaks = watch.breaks.splice(0);
        this.counts.resyncs += breaks.length;
        const idle = breaks
          .filter(({ reason, since }) => !this.#causes.explain(reason, watch.wish.table, since))
          .map(({ reason }) => reason);
        expect(
          idle,
          `${watch.name}: it was told to load afresh, and nothing happened that is a reason`,
        ).toEqual([]);
      }
    }
    this.#causes.clear();
    for (const [n, watch] of watches.entries()) await this.#compareView(watch, views[n]!);
  }

  /** Something was done to the server, the database or the slots: until the next look that explains much. */
  disturbed(): void {
    this.#causes.disturb();
  }

  /** Returns when everyone was sent what was committed before. */
  async settle(): Promise<void> {
    // The second fence goes through by itself: what goes along with the transactions before the first one has come.
    for (let round = 0; round < 2; round++) await this.#pass();
  }

  async #pass(): Promise<void> {
    const { ground, appId } = this.#scene;
    const deadline = Date.now() + 30_000;
    const first = this.#fence + 1;
    for (;;) {
      this.#fence += 1;
      const text = `insert into ${quoted(appId, FENCE)} values ($1) on conflict do nothing`;
      await insisting(() => ground.db.query(text, [this.#fence]));
      const passed = await Promise.all(this.#clients.map((client) => client.passed(first, 1_500)));
      if (passed.every(Boolean)) return;
      if (Date.now() < deadline) continue;
      const late = this.#clients.filter((_, n) => !passed[n]);
      const told = late.map((client) => `${client.ports.looker.name} (${client.lately})`);
      throw new Error(`nothing comes any more for ${told.join(", ")}`);
    }
  }

  async #judgeFrames(watches: readonly Watch[]): Promise<void> {
    const { world } = this.#scene;
    const committed = await insisting(() => this.#commits.next());
    const frames = new Map(watches.map((watch) => [watch, Map.groupBy(watch.frames, lsnOf)]));
    const initials = watches.flatMap((watch) =>
      watch.initials.splice(0).map((initial) => new InitialCheck(watch, initial)),
    );
    this.counts.initials += initials.length;
    for (const watch of watches) watch.frames = [];
    for (const transaction of committed) {
      if (transaction.definitions === null && transaction.rows.length === 0) continue;
      this.counts.transactions += 1;
      for (const check of initials) check.begin(world, transaction.lsn);
      this.#causes.note(transaction, (table) => world.definition(table));
      world.take(transaction);
      for (const watch of watches) {
        const { wish, looker } = watch;
        const due = transaction.rows
          .filter(({ table, kind }) => table === wish.table && kind !== "TRUNCATE")
          .map((happened) => world.due(wish, happened, looker))
          .filter((each) => each !== null);
        const got = (frames.get(watch)!.get(transaction.lsn) ?? []).map(told);
        frames.get(watch)!.delete(transaction.lsn);
        this.#judge(watch, transaction.lsn, due, got);
        for (const check of initials) if (check.watch === watch) check.follow(transaction, due, got, world);
      }
    }
    for (const check of initials) {
      check.begin(world, null);
      const expected = check.wrong(world);
      if (expected === null) continue;
      const { watch, initial } = check;
      const got = byKey(this.#scene, watch, initial.rows);
      this.#sameRows(`the initial rows of ${watch.name} at ${initial.from}`, got, expected);
      expect(initial.rows.length, "each row once").toBe(expected.size);
    }
    for (const watch of watches) {
      const left = [...frames.get(watch)!.values()].flat();
      expect(left, `${watch.name}: frames of transactions that there were not`).toEqual([]);
    }
  }

  #judge(watch: Watch, lsn: string, due: readonly Due[], got: readonly Due[]): void {
    if (lsn > watch.excusedTo) {
      this.counts.exact += got.length;
      if (!same(got, due)) expect(got, `${watch.name}, transaction ${lsn}`).toEqual(due);
      return;
    }
    this.counts.excusable += got.length;
    this.counts.excused += due.length - got.length;
    // While it told its filters one by one, only some of them held.
    if ((watch.wish.filters?.length ?? 0) > 1) return;
    let at = 0;
    for (const each of got) {
      while (at < due.length && !same(due[at], each)) at += 1;
      if (at === due.length) {
        expect(got, `${watch.name}, transaction ${lsn}, of which something may be missing`).toEqual(due);
      }
      at += 1;
    }
  }

  async #compareView(watch: Watch, view: ReadonlyMap<string, Row>): Promise<void> {
    const { world } = this.#scene;
    this.counts.views += 1;
    const expected = world.view(watch.wish, watch.looker);
    this.#sameRows(`SQL for ${watch.name}`, await this.#asRole(watch), expected);
    this.#sameRows(
      `the data API for ${watch.name}`,
      byKey(this.#scene, watch, await watch.selected()),
      expected,
    );
    this.#sameRows(`the view of ${watch.name}`, view, expected);
  }

  #sameRows(what: string, got: ReadonlyMap<string, Row>, expected: ReadonlyMap<string, Row>): void {
    if (same(got, expected)) return;
    const plain = (rows: ReadonlyMap<string, Row>) =>
      Object.fromEntries([...rows].sort(([a], [b]) => (a < b ? -1 : 1)));
    expect(plain(got), what).toEqual(plain(expected));
  }

  /** What Postgres shows the identity; the filter is the suite's own. */
  async #asRole({ wish, looker }: Watch): Promise<Map<string, Row>> {
    const { ground, appId, world } = this.#scene;
    const columns = world.carried({ ...wish, columns: null }, looker).map((column) => quoted(column));
    const client = await ground.db.connect();
    try {
      await client.query("begin");
      await client.query(
        "select set_config('search_path', $1, true), set_config('timezone', 'UTC', true), set_config('request.jwt.claims', $2, true), set_config('request.jwt.claim.sub', $3, true), set_config('role', $4, true)",
        [
          `${quoted(appId)}, ambit_helpers, extensions`,
          looker.claims,
          looker.userId ?? "",
          `${appId}_${looker.role}`,
        ],
      );
      const { rows } = await client.query(
        `select to_jsonb(t) as row from (select ${columns.join(", ")} from ${quoted(wish.table)}) t`,
      );
      const shown = rows
        .map(({ row }): Row => row)
        .filter((row) => wish.filters?.some((filter) => filter.test(row)) ?? true);
      return new Map(shown.map((row) => [world.keyOf(wish.table, row), world.shown(wish, row, looker)]));
    } finally {
      await client.query("rollback");
      client.release();
    }
  }
}

const byKey = ({ world }: Scene, { wish }: Watch, rows: readonly Row[]): Map<string, Row> =>
  new Map(rows.map((row) => [world.keyOf(wish.table, row), row]));
