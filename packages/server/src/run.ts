import { EmbeddedPostgresError } from "./engines/postgres/embedded/index.ts";
import { ConfigError } from "./kernel/config.ts";
import { limits } from "./kernel/limits.ts";

/** Something that serves until it is told to stop. */
export interface Stoppable {
  stop(): Promise<void>;
}

/**
 * Starts, then serves until SIGTERM or SIGINT; then stops everything within `limits.stopMs`. A signal that comes
 * while starting stops as soon as the start is through; a second signal changes nothing.
 * What the operator can mend is one line on standard error and exit code 1.
 */
export async function runUntilSignal(start: () => Promise<Stoppable>): Promise<void> {
  let signalled: (() => void) | undefined;
  const signal = new Promise<void>((resolve) => {
    signalled = resolve;
  });
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(name, () => signalled!());
  // Whatever hangs, in a start or in a stop, does not outlive the limit; PostgreSQL is taken back by the next start.
  void signal.then(() => setTimeout(() => process.exit(1), limits.stopMs));
  let running: Stoppable;
  try {
    running = await start();
  } catch (error) {
    process.stderr.write(`ambit: ${explain(error)}\n`);
    process.exit(1);
  }
  await signal;
  try {
    await running.stop();
    process.exitCode = 0;
  } catch (error) {
    process.stderr.write(`ambit: did not stop cleanly: ${explain(error)}\n`);
    process.exitCode = 1;
  }
  process.exit();
}

function explain(error: unknown): string {
  if (error instanceof ConfigError) return error.message;
  if (error instanceof EmbeddedPostgresError) return `${error.message} ${error.remedy}`;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
