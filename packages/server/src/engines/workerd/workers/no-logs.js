/** In place of `function-log.js` and `actor-log.js` when an app has its logs switched off. */

export function record(request, _execution, work, context) {
  return work(request, context);
}

export function answered() {}

export function thrown() {}

/** @param {Function} User */
export function observe(User) {
  return User;
}

export function begin() {}

export function crashed() {}
