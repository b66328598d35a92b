/** One statement of a change, as dry runs and answers show it. */
export interface Statement {
  readonly sql: string;
  readonly description: string;
  /** It loses data, or may. */
  readonly destructive: boolean;
  /** It is destructive and the document does not ask for it. */
  readonly blocked: boolean;
}

/** The order in which kinds of statements can work: what others rest on comes first, and goes last. */
const PHASES = [
  "rename",
  "unlinkForeignKey",
  "dropTable",
  "unlink",
  "dropColumn",
  "addType",
  "createTable",
  "addColumn",
  "alterColumn",
  "constrain",
  "index",
  "seed",
  "link",
  "grant",
  "comment",
  "dropType",
] as const;
export type Phase = (typeof PHASES)[number];

/** Gathers the statements of a plan by phase. */
export class StatementList {
  readonly #phases = new Map<Phase, Statement[]>();

  add(phase: Phase, sql: string, description: string, loss: { asked: boolean } | null = null): void {
    const statements = this.#phases.get(phase) ?? [];
    this.#phases.set(phase, statements);
    statements.push({ sql, description, destructive: loss !== null, blocked: loss !== null && !loss.asked });
  }

  has(sql: string): boolean {
    return this.inOrder().some((statement) => statement.sql === sql);
  }

  inOrder(): Statement[] {
    return PHASES.flatMap((phase) => this.#phases.get(phase) ?? []);
  }
}
