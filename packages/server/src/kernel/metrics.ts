import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Numbers for operators, served at GET /metrics in the Prometheus text format. */
export class Metrics {
  readonly registry = new Registry();
  readonly operations = new Histogram({
    name: "ambit_operation_seconds",
    help: "Time an operation took, by name and outcome (ok or the error code).",
    labelNames: ["operation", "outcome"],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60],
    registers: [this.registry],
  });
  readonly limitsHit = new Counter({
    name: "ambit_limit_hit_total",
    help: "How often a limit turned something away.",
    labelNames: ["limit"],
    registers: [this.registry],
  });

  /** A further counter; declare each once. */
  counter<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  /** A further gauge; declare each once. */
  gauge<L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] });
  }
}
