import { inspect } from "./inspect.js";
import { observe } from "./logs.js";
import { limitStorage } from "./storage-limits.js";
import { inspectorSecret } from "./unit.js";

/** `ctx` of each instance; plain classes need not keep it. */
const contexts = new WeakMap();

/**
 * Wraps a user's class so that nothing shows: a subclass of the same name, whose only additions are the storage limits
 * and an answer to Ambit's own inspection requests. Methods, alarms, socket handlers and statics are inherited.
 * @param {Record<string, unknown>} module
 * @param {string} className
 */
export function wrap(module, className) {
  const User = module[className];
  if (typeof User !== "function") throw new TypeError(`The module exports no class ${className}.`);
  const Observed = observe(User, className);
  // A computed key gives the class its name before V8 settles what stacks call it.
  const { [className]: Wrapped } = {
    [className]: class extends Observed {
      constructor(ctx, env) {
        limitStorage(ctx.storage);
        super(ctx, env);
        // A `fetch` that is a field of the instance hides ours.
        if (this.fetch === Wrapped.prototype.fetch) contexts.set(this, ctx);
        else wrapField(this, ctx);
      }

      fetch(request) {
        if (request.method === "REPORT" && isInspection(request)) return inspect(contexts.get(this), request);
        if (super.fetch === undefined) throw noFetch();
        return super.fetch(request);
      }
    },
  };
  // `this.constructor` is the user's own class, whose private statics a subclass does not have.
  Object.defineProperty(Wrapped.prototype, "constructor", { value: User });
  return Wrapped;
}

function wrapField(instance, ctx) {
  const own = instance.fetch;
  // Not an assignment: it would throw on a frozen instance.
  Reflect.defineProperty(instance, "fetch", {
    value(request) {
      if (request.method === "REPORT" && isInspection(request)) return inspect(ctx, request);
      return own.call(this, request);
    },
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/** The method is looked at first because reading a header costs more, and every request pays. */
function isInspection(request) {
  return request.headers.get("x-ambit-inspect") === inspectorSecret;
}

function noFetch() {
  return new Error("Handler does not export a fetch() function.");
}
