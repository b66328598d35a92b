import type { Database } from "../../engines/postgres/database.ts";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import type { Clock } from "../../kernel/clock.ts";
import { arrayText } from "./array-text.ts";
import { limits } from "./limits.ts";
import type { Rule, ViewerRole } from "./table-view.ts";

/** A caller as policies see them. */
export interface Identity {
  /** JSON text of the claims, `""` for none. */
  readonly claims: string;
  readonly subject: string;
}

/** Which of these rows may each of these callers see? */
export interface Question {
  readonly appId: string;
  readonly role: ViewerRole;
  readonly rule: Rule;
  readonly identities: readonly Identity[];
  /** Per row the texts of the rule's columns, as the log has them. Never empty. */
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Per row `1` for seen and `0` for not seen; null when it could not be decided, which shows nothing. */
export type Verdict = string | null;

/** Decides visibility by rule. */
export interface Judge {
  /** One verdict per identity, in their order. Rejects only if the database does not answer. */
  judge(question: Question): Promise<Verdict[]>;
}

const CALL =
  "select verdict, problem from ambit_helpers.judge_rows($1, $2::text[], $3, $4::text[], $5::text[], $6::int)";

/** SQLSTATE of a statement that ran into its time limit. */
export const CANCELED = "57014";

/** Judges with Postgres itself: the policies' own SQL, run as the app's role over the rows of the log. */
export class SqlJudge implements Judge {
  readonly #database: Pick<Database, "asCaller">;
  readonly #clock: Clock;
  readonly #onProblem: (appId: string, sqlstate: string) => void;

  /** `onProblem` is told of every identity for whom the rule failed. */
  constructor(
    database: Pick<Database, "asCaller">,
    clock: Clock,
    onProblem: (appId: string, sqlstate: string) => void,
  ) {
    this.#database = database;
    this.#clock = clock;
    this.#onProblem = onProblem;
  }

  async judge(question: Question): Promise<Verdict[]> {
    const giveUpAtMs = this.#clock() + limits.judgeBatchMs;
    const verdicts: Verdict[] = [];
    while (verdicts.length < question.identities.length) {
      const from = verdicts.length;
      const identities = question.identities.slice(from, from + limits.identitiesPerCall);
      verdicts.push(...(await this.#some({ ...question, identities }, giveUpAtMs)));
    }
    return verdicts;
  }

  /** Verdicts for at least the first identity. */
  async #some(question: Question, giveUpAtMs: number): Promise<Verdict[]> {
    const { identities, rows } = question;
    if (this.#clock() > giveUpAtMs) return this.#undecided(question, CANCELED);
    try {
      return await this.#call(question);
    } catch (error) {
      const code = (error as { code?: string }).code ?? "";
      if (code === "DATABASE_UNAVAILABLE") throw error;
      if (code !== CANCELED || (identities.length === 1 && rows.length === 1)) {
        return this.#undecided(question, code);
      }
    }
    if (identities.length > 1) {
      const half = identities.slice(0, Math.ceil(identities.length / 2));
      return this.#some({ ...question, identities: half }, giveUpAtMs);
    }
    const middle = Math.ceil(rows.length / 2);
    const [first] = await this.#some({ ...question, rows: rows.slice(0, middle) }, giveUpAtMs);
    if (first === null) return [null];
    const [second] = await this.#some({ ...question, rows: rows.slice(middle) }, giveUpAtMs);
    return [second === null ? null : `${first}${second}`];
  }

  async #call({ appId, role, rule, identities, rows }: Question): Promise<Verdict[]> {
    const columns = [rows.map(() => "0"), ...rule.columns.map((_name, at) => rows.map((row) => row[at]!))];
    const values = [
      rule.query,
      arrayText(columns.map(arrayText)),
      tenantRole(appId, role),
      arrayText(identities.map((identity) => identity.claims)),
      arrayText(identities.map((identity) => identity.subject)),
      String(limits.judgeCallMs),
    ];
    const result = await this.#database.asCaller(appId, { role, claims: null }, { text: CALL, values });
    return result.rows.map(([verdict = null, problem = null]) => {
      if (verdict !== null && verdict.length === rows.length) return verdict;
      this.#onProblem(appId, problem ?? "unexpected");
      return null;
    });
  }

  #undecided({ appId, identities }: Question, sqlstate: string): Verdict[] {
    this.#onProblem(appId, sqlstate);
    return identities.map(() => null);
  }
}
