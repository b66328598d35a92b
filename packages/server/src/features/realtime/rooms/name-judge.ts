import type { Database } from "../../../engines/postgres/database.ts";
import { tenantRole } from "../../../engines/postgres/tenant.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { arrayText } from "../array-text.ts";
import type { Viewer } from "../subscriptions.ts";
import { limits } from "./limits.ts";
import { conditionQuery } from "./rule.ts";

/** `unavailable`: the database does not answer; `failed`: it could not say. Neither lets anybody through. */
export type Answer = "yes" | "no" | "failed" | "unavailable";

interface Question {
  readonly name: string;
  readonly viewer: Viewer;
  readonly resolve: (answer: Answer) => void;
}

/** Questions about one condition of one app for one role. */
interface Group {
  readonly appId: string;
  readonly role: "anon" | "user";
  readonly expression: string;
  waiting: Question[];
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
 * it reads hold. Questions that come while others are being asked go together in the next call.
 */
export class NameJudge {
  readonly #ports: NameJudgePorts;
  readonly #groups = new Map<string, Group>();

  constructor(ports: NameJudgePorts) {
    this.#ports = ports;
  }

  ask(appId: string, expression: string, name: string, viewer: Viewer): Promise<Answer> {
    const { role } = viewer;
    if (role === "service") return Promise.resolve("yes");
    const key = `${appId}\n${role}\n${expression}`;
    const group = this.#groups.get(key) ?? { appId, role, expression, waiting: [], running: false };
    this.#groups.set(key, group);
    return new Promise((resolve) => {
      group.waiting.push({ name, viewer, resolve });
      if (group.running) return;
      group.running = true;
      setImmediate(() => void this.#run(key, group));
    });
  }

  async #run(key: string, group: Group): Promise<void> {
    while (group.waiting.length > 0) await this.#answer(group, group.waiting.splice(0));
    group.running = false;
    this.#groups.delete(key);
  }

  /** One that takes too long is found by asking fewer at once, so that the others get their answers. */
  async #answer(group: Group, questions: readonly Question[]): Promise<void> {
    const giveUpAtMs = this.#ports.clock() + limits.judgeMs;
    let size: number = limits.questionsPerCall;
    for (let at = 0; at < questions.length; ) {
      const some = questions.slice(at, at + size);
      const answers = await this.#some(group, some, giveUpAtMs);
      if (answers === null) {
        size = 1;
        continue;
      }
      for (const [index, answer] of answers.entries()) some[index]?.resolve(answer);
      at += answers.length;
      size = Math.min(size * 2, limits.questionsPerCall);
    }
  }

  /** Answers of at least the first question; null: together they take too long. */
  async #some(group: Group, questions: readonly Question[], giveUpAtMs: number): Promise<Answer[] | null> {
    if (this.#ports.clock() > giveUpAtMs) return this.#unanswered(group, questions, CANCELED);
    try {
      return await this.#call(group, questions);
    } catch (error) {
      const { code, name } = error as { code?: string; name?: string };
      if (code === "DATABASE_UNAVAILABLE") return questions.map(() => "unavailable");
      const canceled = code === CANCELED || name === "AbortError" || name === "TimeoutError";
      if (canceled && questions.length > 1) return null;
      return this.#unanswered(group, questions, canceled ? CANCELED : (code ?? "unexpected"));
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
    if (rows.length === 0) return this.#unanswered(group, questions, "unexpected");
    return rows.map(([verdict, problem]) => {
      if (verdict === "t") return "yes";
      if (verdict === "f") return "no";
      this.#ports.onProblem(appId, problem ?? "unexpected");
      return "failed";
    });
  }

  #unanswered({ appId }: Group, questions: readonly Question[], sqlstate: string): Answer[] {
    for (const _each of questions) this.#ports.onProblem(appId, sqlstate);
    return questions.map(() => "failed");
  }
}

/** SQLSTATE of a statement that was cancelled, for example by its time limit. */
const CANCELED = "57014";
