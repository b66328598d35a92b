/** What a measure is held to: its value or its ratio to the baseline, at most or at least some number. */
export interface Target {
  readonly of: "value" | "ratio";
  readonly bound: "≤" | "≥";
  readonly number: number;
}

/** One number a bench found. */
export interface Finding {
  /** `<bench>.<what>`, stable. */
  readonly measure: string;
  readonly value: number;
  readonly unit: string;
  /** The same unit, measured in the same run on what Ambit is compared with. */
  readonly baseline?: number;
  /** When it was measured by itself; else value by baseline. */
  readonly ratio?: number;
  readonly target?: Target;
  /** How it was measured, besides the machine: concurrency, rows, repeats, who shares the machine. */
  readonly conditions: string;
}

/** What a bench is given. */
export interface BenchContext {
  /** Everything the bench starts or makes is deferred here; it is undone after the bench and on a signal. */
  readonly resources: AsyncDisposableStack;
  /** Directory for CPU profiles of Ambit; undefined when nobody asked for them. */
  readonly profileDir: string | undefined;
  /** What `--set` says, by name; each bench knows its own. */
  readonly settings: ReadonlyMap<string, string>;
  /** Reports a finding; `server` is the version of the Postgres it was measured on. */
  report(finding: Finding, server: string): void;
  /** Tells the person waiting what goes on; never on standard output. */
  note(text: string): void;
}

/** One bench: starts what it needs, measures, reports. */
export interface Bench {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  run(context: BenchContext): Promise<void>;
}
