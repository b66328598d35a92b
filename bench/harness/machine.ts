import { cpus, loadavg, platform, release, totalmem } from "node:os";

const GIB = 1024 ** 3;

/** The machine and the engines, as every measure names them. `server` is the version of Postgres. */
export function describeMachine(server: string, loadBefore: string): string {
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}`,
    `${(totalmem() / GIB).toFixed(0)} GiB`,
    `${platform()} ${release()}`,
    `Node ${process.versions.node}`,
    `PostgreSQL ${server}`,
    `load average before ${loadBefore}`,
  ].join(", ");
}

/** How busy the machine was in the last minute: the average number of processes that ran or wanted to. */
export const loadAverage = (): string => (loadavg()[0] ?? 0).toFixed(1);
