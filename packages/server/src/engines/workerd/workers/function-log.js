import { current, end, Run, thrownIn } from "./run-log.js";

/** Logs of a function: every request is a run. */

/** Runs `work(request, context)` so that what it logs is known to be of this request. */
export function record(request, execution, work, context) {
  return current.run(new Run("fetch", execution, request), work, request, context);
}

/** The request is answered. */
export function answered(status, failed) {
  end(current.getStore(), status, failed);
}

export function thrown(error) {
  const run = current.getStore();
  if (run !== undefined) thrownIn(run, error);
}
