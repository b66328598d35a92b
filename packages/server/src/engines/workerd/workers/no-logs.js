/** In place of `function-log.js` when an app has its logs switched off. */

export function record(request, _execution, work, context) {
  return work(request, context);
}

export function answered() {}

export function thrown() {}
