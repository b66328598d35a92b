import { ask, invokeUnit, targetOf } from "./callbacks.js";
import { thrown } from "./logs.js";
import { substrateOf } from "./substrate.js";

const WAIT_LIMIT_MS = 30_000;

/**
 * What a function is given as `ctx`. Everything is made when first asked for: most functions use little of it. Its
 * methods are values, so they may be taken off it (`const { invoke } = ctx`).
 */
export class Context {
  #request;
  #execution;
  #data;
  #db;
  #waiting = false;
  /** Variables of the function. */
  env;

  constructor(request, env, execution) {
    this.#request = request;
    this.#execution = execution;
    this.env = env;
  }

  /** What Ambit says about the call. */
  get #call() {
    if (this.#data === undefined)
      this.#data = JSON.parse(this.#request.headers.get("x-ambit-context") ?? "{}");
    return this.#data;
  }

  get #identity() {
    return { "x-ambit-invocation": this.#request.headers.get("x-request-id") ?? this.#call.requestId ?? "" };
  }

  get user() {
    return this.#call.user ?? null;
  }

  get caller() {
    return this.#call.caller ?? { type: "anonymous" };
  }

  get app() {
    return this.#call.app ?? null;
  }

  get trigger() {
    return this.#call.trigger ?? "http";
  }

  get request() {
    const { requestId, ip, functionName } = this.#call;
    return {
      id: requestId ?? this.#request.headers.get("x-request-id"),
      ip: ip ?? null,
      /** Ambit looks up no addresses; a proxy in front may say. */
      country: this.#request.headers.get("cf-ipcountry"),
      functionName: functionName ?? null,
      loopDepth: this.#call.loopDepth ?? 0,
    };
  }

  /** The app's data as the caller sees it; `asUser`, `asAnon`, `asService` choose another role. */
  get db() {
    if (this.#db === undefined) {
      const identity = this.#identity;
      this.#db = {
        ...database(identity, undefined),
        asUser: (id) => database(identity, { user: String(id) }),
        asAnon: () => database(identity, "anon"),
        asService: () => database(identity, "service"),
      };
    }
    return this.#db;
  }

  get invoke() {
    const [identity, depth] = [this.#identity, this.#call.loopDepth ?? 0];
    return (name, body, options) => invokeUnit(identity, depth, targetOf("fn", name), body, options);
  }

  get invokeDO() {
    const [identity, depth] = [this.#identity, this.#call.loopDepth ?? 0];
    return (className, instance, body, options) =>
      invokeUnit(identity, depth, targetOf("do", className, instance), body, options);
  }

  /** Goes on with a promise after the answer, for at most 30 s. */
  get waitUntil() {
    return (promise) => {
      this.#waiting = true;
      this.#execution.waitUntil(withinLimit(promise).catch(thrown));
    };
  }

  get passThroughOnException() {
    return () => {};
  }

  get idempotency() {
    const identity = this.#identity;
    return {
      /** True the first time a key is claimed in its scope, until its time is over. */
      claim: async (key, { scope, ttlSeconds } = {}) =>
        (await ask(identity, "/idempotency/claim", { key, scope, ttl_seconds: ttlSeconds })).claimed,
    };
  }

  /** What the organisation knows, as far as the app is linked to it. */
  get substrate() {
    return substrateOf(this.#identity);
  }

  get log() {
    return log;
  }

  /** For the wrapper: whether work goes on after the answer. */
  isWaiting() {
    return this.#waiting;
  }

  /** For the wrapper: whether the caller may read what went wrong. */
  isVerbose() {
    try {
      return this.#call.verbose === true;
    } catch {
      return false;
    }
  }
}

function database(identity, as) {
  return { query: (sql, params) => ask(identity, "/db/query", { sql, params, as }) };
}

function withinLimit(promise) {
  let timer;
  const limit = new Promise((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error("waitUntil: the promise took longer than 30 s.")),
      WAIT_LIMIT_MS,
    );
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

const log = Object.freeze({
  debug: (...values) => console.debug(...values),
  info: (...values) => console.info(...values),
  warn: (...values) => console.warn(...values),
  error: (...values) => console.error(...values),
});
