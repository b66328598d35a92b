import type { Clock } from "../../../kernel/clock.ts";
import type { Viewer } from "../subscriptions.ts";
import { limits } from "./limits.ts";
import type { Answer, NameJudge } from "./name-judge.ts";
import { PRIVATE_PREFIX, type Rule, ruleFor } from "./rule.ts";
import type { Action } from "./types.ts";

/** As the judge's answers; `no_rule`: the name needs a rule and has none. */
export type Verdict = Answer | "no_rule";

export interface AdmissionPorts {
  readonly judge: Pick<NameJudge, "ask">;
  readonly clock: Clock;
  /** The rules of each of these apps. */
  readRules(appIds: readonly string[]): Promise<Map<string, readonly Rule[]>>;
}

/** Times a verdict is asked for again because something changed while it was being found. */
const TRIES = 5;

/** What is known of one app. */
interface AppState {
  rules: readonly Rule[];
  readAtMs: number;
  reading: Promise<boolean> | null;
  /** How often it was told that something changed. */
  changes: number;
  /** Another one whenever verdicts given before may not be right any more. */
  epoch: number;
  readonly verdicts: Map<string, Known>;
}

/** A verdict that is being found, or was. */
interface Known {
  readonly verdict: Promise<Verdict>;
  readonly steady: boolean;
  readonly atMs: number;
  /** Once it was found. */
  answer: Verdict | null;
}

const keyOf = ({ role, subject, claims }: Viewer, name: string, action: Action) =>
  `${action}\n${name}\n${role}\n${subject}\n${claims}`;

/** Who may do what in which room or channel. Rules are kept for a second, verdicts until something they rest on may differ. */
export class Admission {
  readonly #ports: AdmissionPorts;
  readonly #apps = new Map<string, AppState>();
  #nextEpoch = 1;

  constructor(ports: AdmissionPorts) {
    this.#ports = ports;
  }

  /**
   * Whether all of it is allowed, as things stand when this resolves; if not, which action is not. The rules it goes by
   * were read no longer than `maxAgeMs` ago, and not before `changed` was last called.
   */
  async may(
    appId: string,
    viewer: Viewer,
    name: string,
    actions: readonly Action[],
    maxAgeMs: number,
  ): Promise<{ verdict: Verdict; action: Action }> {
    let verdict: Verdict = "yes";
    let action: Action = "receive";
    if (viewer.role === "service") return { verdict, action };
    for (let tries = 0; tries < TRIES; tries++) {
      if (!(await this.#fresh(appId, maxAgeMs))) return { verdict: "unavailable", action };
      const { epoch } = this.#app(appId);
      for (action of actions) {
        verdict = await this.#one(appId, viewer, name, action);
        if (verdict !== "yes") break;
      }
      if (this.#app(appId).epoch === epoch) return { verdict, action };
    }
    return { verdict: "unavailable", action };
  }

  /** Whether all of it is known to be allowed, without asking anybody; false says nothing. The rules as for `may`. */
  isKnown(
    appId: string,
    viewer: Viewer,
    name: string,
    actions: readonly Action[],
    maxAgeMs: number,
  ): boolean {
    if (viewer.role === "service") return true;
    const app = this.#apps.get(appId);
    if (app === undefined || this.#ports.clock() - app.readAtMs > maxAgeMs) return false;
    const rule = ruleFor(app.rules, name);
    if (rule === null) return !name.startsWith(PRIVATE_PREFIX);
    return actions.every((action) => {
      const known = app.verdicts.get(keyOf(viewer, name, action));
      return known?.steady === true && known.answer === "yes";
    });
  }

  /** Policies, tables or rules of the app were changed: nothing that was known of it counts any more. */
  changed(appId: string): void {
    const app = this.#apps.get(appId);
    if (app === undefined) return;
    app.readAtMs = Number.NEGATIVE_INFINITY;
    // What is being read may be older than the change.
    app.reading = null;
    app.changes += 1;
    this.#outdate(app);
  }

  /**
   * Reads the rules of these apps again, and forgets verdicts that rest on what tables hold or on the time. What is
   * known of other apps is given up. False: the database does not answer.
   */
  async refresh(appIds: readonly string[]): Promise<boolean> {
    const wanted = new Set(appIds);
    for (const appId of this.#apps.keys()) if (!wanted.has(appId)) this.#apps.delete(appId);
    for (const appId of wanted) {
      const { verdicts } = this.#app(appId);
      for (const [key, { steady }] of verdicts) if (!steady) verdicts.delete(key);
    }
    return wanted.size === 0 || this.#read([...wanted]);
  }

  /** False: the database does not answer. */
  async #fresh(appId: string, maxAgeMs: number): Promise<boolean> {
    while (this.#ports.clock() - this.#app(appId).readAtMs > maxAgeMs) {
      if (!(await this.#read([appId]))) return false;
    }
    return true;
  }

  async #one(appId: string, viewer: Viewer, name: string, action: Action): Promise<Verdict> {
    const app = this.#app(appId);
    const rule = ruleFor(app.rules, name);
    if (rule === null) return name.startsWith(PRIVATE_PREFIX) ? "no_rule" : "yes";
    const { expression, steady } = rule[action];
    const key = keyOf(viewer, name, action);
    const known = app.verdicts.get(key);
    if (known !== undefined && (known.steady || this.#ports.clock() - known.atMs < limits.recheckMs)) {
      return known.verdict;
    }
    return this.#judge(app, key, steady, () => this.#ports.judge.ask(appId, expression, name, viewer));
  }

  #app(appId: string): AppState {
    let app = this.#apps.get(appId);
    if (app === undefined) {
      const readAtMs = Number.NEGATIVE_INFINITY;
      const epoch = this.#nextEpoch++;
      app = { rules: [], readAtMs, reading: null, changes: 0, epoch, verdicts: new Map() };
      this.#apps.set(appId, app);
    }
    return app;
  }

  #judge(app: AppState, key: string, steady: boolean, ask: () => Promise<Answer>): Promise<Verdict> {
    const verdict = ask();
    const entry: Known = { verdict, steady, atMs: this.#ports.clock(), answer: null };
    app.verdicts.set(key, entry);
    if (app.verdicts.size > limits.verdictsPerApp) {
      const oldest = app.verdicts.keys().next();
      if (!oldest.done) app.verdicts.delete(oldest.value);
    }
    void verdict.then((answer) => {
      entry.answer = answer;
      // What could not be decided is asked again the next time.
      if (answer !== "yes" && answer !== "no" && app.verdicts.get(key) === entry) app.verdicts.delete(key);
    });
    return verdict;
  }

  /** Reads rules; several who want those of one app at once share one query. */
  async #read(appIds: readonly string[]): Promise<boolean> {
    const [only] = appIds;
    const reading = appIds.length === 1 && only !== undefined ? this.#app(only).reading : null;
    if (reading !== null) return reading;
    const apps = appIds.map((appId) => {
      const app = this.#app(appId);
      return { appId, app, changes: app.changes };
    });
    const run = this.#readInto(apps);
    for (const { app } of apps) app.reading = run;
    return run.finally(() => {
      for (const { app } of apps) if (app.reading === run) app.reading = null;
    });
  }

  async #readInto(apps: readonly { appId: string; app: AppState; changes: number }[]): Promise<boolean> {
    const askedAtMs = this.#ports.clock();
    let found: Map<string, readonly Rule[]>;
    try {
      found = await this.#ports.readRules(apps.map(({ appId }) => appId));
    } catch {
      return false;
    }
    for (const { appId, app, changes } of apps) {
      // What was read may be older than a change that was told of meanwhile, or than what another query has read.
      if (app.changes !== changes || askedAtMs < app.readAtMs) continue;
      const rules = found.get(appId) ?? [];
      if (textOf(rules) !== textOf(app.rules)) this.#outdate(app);
      app.rules = rules;
      app.readAtMs = askedAtMs;
    }
    return true;
  }

  #outdate(app: AppState): void {
    app.epoch = this.#nextEpoch++;
    app.verdicts.clear();
  }
}

const textOf = (rules: readonly Rule[]): string =>
  rules
    .map(
      ({ pattern, receive, send }) =>
        `${JSON.stringify([pattern, receive.expression, receive.steady, send.expression, send.steady])}\n`,
    )
    .join("");
