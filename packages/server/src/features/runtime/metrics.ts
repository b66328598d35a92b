import { Gauge } from "prom-client";
import type { Death, ProgramKind, ProgramStatus } from "../../engines/workerd/types.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { UsageDelta } from "./store.ts";

export interface RuntimeMetrics {
  /** Adds what has been written: the counters move once a second, not once a request. */
  count(delta: UsageDelta): void;
  death(kind: ProgramKind, death: Death): void;
  logged(entries: number): void;
  dropped(entries: number): void;
}

const STATES: readonly ProgramStatus["state"][] = [
  ...(["stopped", "starting", "running", "swapping", "stopping", "failing"] as const),
];

/** Numbers of running code for operators. Made once per server; `list` tells of the programs when they are asked for. */
export function runtimeMetrics(metrics: Metrics, list: () => readonly ProgramStatus[]): RuntimeMetrics {
  const requests = metrics.counter("ambit_runtime_requests_total", "Requests answered by user code.", [
    "kind",
  ]);
  const errors = metrics.counter("ambit_runtime_request_errors_total", "Of these, failed ones.", ["kind"]);
  const cpu = metrics.counter("ambit_runtime_cpu_seconds_total", "CPU time of user code's processes.", [
    "kind",
  ]);
  const outgoing = metrics.counter(
    "ambit_runtime_egress_requests_total",
    "Requests of user code to the network.",
  );
  const refused = metrics.counter("ambit_runtime_egress_refused_total", "Of these, refused ones.");
  const bytes = metrics.counter("ambit_runtime_egress_bytes_total", "Bytes exchanged with the network.", [
    "direction",
  ]);
  const deaths = metrics.counter("ambit_runtime_deaths_total", "Processes that were lost.", [
    "kind",
    "death",
  ]);
  const logged = metrics.counter("ambit_runtime_log_entries_total", "Log entries kept.");
  const dropped = metrics.counter(
    "ambit_runtime_log_dropped_total",
    "Log entries left out: too many at once.",
  );
  new Gauge({
    name: "ambit_runtime_programs",
    help: "Programs of this node, by state.",
    labelNames: ["state"],
    registers: [metrics.registry],
    collect() {
      const programs = list();
      for (const state of STATES) {
        this.set({ state }, programs.filter((program) => program.state === state).length);
      }
    },
  });
  new Gauge({
    name: "ambit_runtime_resident_bytes",
    help: "Resident memory of all programs.",
    registers: [metrics.registry],
    collect() {
      this.set(list().reduce((sum, { rssBytes }) => sum + rssBytes, 0));
    },
  });
  return {
    count(delta) {
      const { kind } = delta;
      if (delta.requests > 0) requests.inc({ kind }, delta.requests);
      if (delta.errors > 0) errors.inc({ kind }, delta.errors);
      if (delta.cpu_ms > 0) cpu.inc({ kind }, delta.cpu_ms / 1000);
      if (delta.egress_requests > 0) outgoing.inc(delta.egress_requests);
      if (delta.egress_refused > 0) refused.inc(delta.egress_refused);
      if (delta.egress_bytes_in > 0) bytes.inc({ direction: "in" }, delta.egress_bytes_in);
      if (delta.egress_bytes_out > 0) bytes.inc({ direction: "out" }, delta.egress_bytes_out);
    },
    death: (kind, death) => deaths.inc({ kind, death }),
    logged: (entries) => logged.inc(entries),
    dropped: (entries) => dropped.inc(entries),
  };
}
