import type { Database } from "../../../engines/postgres/database.ts";
import { tenantRole } from "../../../engines/postgres/tenant.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { arrayText } from "../array-text.ts";
import { CANCELED } from "../judge.ts";
import type { Viewer } from "../subscriptions.ts";
import { limits } from "./limits.ts";
import { conditionQuery } from "./rule.ts";

/** `unavailable`: the database does not answer; `failed`: it could not say. Neither lets anybody through. */
export type Answer = "yes" | "no" | "failed" | "unavailable";

interface Question {
  readonly name: string;
  readonly viewer: Viewer;
  readonly giveUpAtMs: number;
  readonly resolve: (answer: Answer) => void;
}

/** Questions about one condition of one app for one role. */
interface Group {
  readonly appId: string;
  readonly role: "anon" | "user";
  readonly expression: string;
  waiting: Question[];
  /** Of those who have asked slow ones: asked one by one, when no others wait. */
  late: Question[];
  /** So many of the first in `waiting` took too long together, and are asked one by one. */
  careful: number;
  running: boolean;
}

const CALL =
  "select verdict, problem from ambit_helpers.judge_names($1, $2::text[], $3, $4::text[], $5::text[], $6::int)";

export interface NameJudgePorts {
  readonly database: Pick<Database, "asCaller">;
  readonly clock: Clock;
  /** Told of every question that could not be answered. */
  onProblem(appId: string, sqlstate: string): void;
}

/**
 * Asks Postgres whether a condition holds for a name and a caller: as that caller, so that the policies of the tables
 * it reads hold. Questions that come while others are being asked go together in the next call. Who asks one that takes
 * too long has to wait behind all others for a while.
 */
export class NameJudge {
  readonly #ports: NameJudgePorts;
  readonly #groups = new Map<string, Group>();
  /** Who has asked slow questions lately, and until when that counts. */
  readonly #slow = new Map<string, number>();

  constructor(ports: NameJudgePorts) {
    this.#ports = ports;
  }

  ask(appId: string, expression: string, name: string, viewer: Viewer): Promise<Answer> {
    const { role } = viewer;
    if (role === "service") return Promise.resolve("yes");
    const key = `${appId}\n${role}\n${expression}`;
    const group = this.#groups.get(key) ?? newGroup(appId, role, expression);
    this.#groups.set(key, group);
    return new Promise((resolve) => {
      const question = { name, viewer, resolve, giveUpAtMs: this.#ports.clock() + limits.judgeMs };
      (this.#isSlow(appId, viewer) ? group.late : group.waiting).push(question);
      if (group.running) return;
      group.running = true;
      setImmediate(() => void this.#run(key, group));
    });
  }

  async #run(key: string, group: Group): Promise<void> {
    while (group.waiting.length + group.late.length > 0) {
      this.#giveUp(group);
      const { waiting, careful } = group;
      const some = waiting.splice(0, careful > 0 ? 1 : limits.questionsPerCall);
      if (some.length === 0) some.push(...group.late.splice(0, 1));
      if (some.length > 0) await this.#answer(group, some);
    }
    group.running = false;
    this.#groups.delete(key);
  }

  /** Asks these, and puts back those that are still open. */
  async #answer(group: Group, questions: Question[]): Promise<void> {
    const answers = await this.#some(group, questions);
    if (answers === "too_slow") {
      const [only] = questions;
      if (questions.length > 1 || only === undefined) {
        // One of them takes too long; which, is found by asking them one by one.
        group.waiting.unshift(...questions);
        group.careful = questions.length;
        return;
      }
      only.resolve(this.#unanswered(group, CANCELED, "failed"));
      this.#wasSlow(group, only.viewer);
    } else {
      for (const [index, answer] of answers.entries()) questions[index]?.resolve(answer);
      group.waiting.unshift(...questions.slice(answers.length));
    }
    group.careful = Math.max(0, group.careful - 1);
  }

  /** Lets those go whose time is over before it was their turn. */
  #giveUp(group: Group): void {
    const nowMs = this.#ports.clock();
    for (const list of ["waiting", "late"] as const) {
      if (group[list].every(({ giveUpAtMs }) => giveUpAtMs >= nowMs)) continue;
      const over = group[list].filter(({ giveUpAtMs }) => giveUpAtMs < nowMs);
      group[list] = group[list].filter(({ giveUpAtMs }) => giveUpAtMs >= nowMs);
      for (const { resolve } of over) resolve(this.#unanswered(group, CANCELED, "unavailable"));
    }
  }

  #isSlow(appId: string, viewer: Viewer): boolean {
    const untilMs = this.#slow.get(askerOf(appId, viewer));
    return untilMs !== undefined && untilMs > this.#ports.clock();
  }

  /** From now on they wait behind all others. */
  #wasSlow(group: Group, viewer: Viewer): void {
    const asker = askerOf(group.appId, viewer);
    this.#slow.delete(asker);
    this.#slow.set(asker, this.#ports.clock() + limits.slowAskerMs);
    if (this.#slow.size > limits.slowAskers) this.#slow.delete(this.#slow.keys().next().value!);
    const theirs = (question: Question) => askerOf(group.appId, question.viewer) === asker;
    group.late.push(...group.waiting.filter(theirs));
    group.waiting = group.waiting.filter((question) => !theirs(question));
  }

  /** Answers of at least the first question. */
  async #some(group: Group, questions: readonly Question[]): Promise<Answer[] | "too_slow"> {
    try {
      return await this.#call(group, questions);
    } catch (error) {
      const { code, name } = error as { code?: string; name?: string };
      if (code === "DATABASE_UNAVAILABLE") return questions.map(() => "unavailable");
      const canceled = code === CANCELED || name === "AbortError" || name === "TimeoutError";
      if (canceled) return "too_slow";
      return questions.map(() => this.#unanswered(group, code ?? "unexpected", "failed"));
    }
  }

  async #call(group: Group, questions: readonly Question[]): Promise<Answer[]> {
    const { appId, role, expression } = group;
    const values = [
      conditionQuery(expression),
      arrayText(questions.map(({ name }) => name)),
      tenantRole(appId, role),
      arrayText(questions.map(({ viewer }) => viewer.claims)),
      arrayText(questions.map(({ viewer }) => viewer.subject)),
      String(limits.judgeCallMs),
    ];
    const { rows } = await this.#ports.database.asCaller(
      appId,
      { role, claims: null },
      { text: CALL, values },
      AbortSignal.timeout(limits.judgeCancelMs),
    );
    if (rows.length === 0) return questions.map(() => this.#unanswered(group, "unexpected", "failed"));
    return rows.map(([verdict, problem]) => {
      if (verdict === "t") return "yes";
      if (verdict === "f") return "no";
      this.#ports.onProblem(appId, problem ?? "unexpected");
      return "failed";
    });
  }

  #unanswered({ appId }: Group, sqlstate: string, answer: Answer): Answer {
    this.#ports.onProblem(appId, sqlstate);
    return answer;
  }
}

const newGroup = (appId: string, role: Group["role"], expression: string): Group => ({
  ...{ appId, role, expression, waiting: [], late: [], careful: 0, running: false },
});

/** Anonymous connections of an app are one. */
const askerOf = (appId: string, { role, subject }: Viewer) => `${appId}\n${role}\n${subject}`;
