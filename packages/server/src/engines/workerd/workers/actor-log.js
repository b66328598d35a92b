import { DurableObject } from "cloudflare:workers";
import { aboutOf, current, end, Run, schedule, thrownIn } from "./run-log.js";

/**
 * Logs of a class: every event of an instance is a run. The user's methods are overridden by ones that note the run
 * and call them; calls from inside a run go straight through.
 */

const SOCKET_EVENTS = { webSocketMessage: "message", webSocketClose: "close", webSocketError: "error" };
const HANDLERS = ["fetch", "alarm", ...Object.keys(SOCKET_EVENTS)];
const MAX_FAILURES = 1_000;

const { apply } = Reflect;
const { then } = Promise.prototype;

/** `ctx` of each instance. */
const contexts = new WeakMap();
/** True while a run's own stack is on top, which is quicker to see than the asynchronous context. */
let inside = false;
/** Requests whose failure has been told with its stack. */
const failures = new Set();
/** The last construction that failed: the request that caused it is known later. */
let unborn;

/** A subclass of the user's class that notes what its instances log and throw. */
export function observe(User, className) {
  const { [className]: Observed } = {
    [className]: class extends User {
      // biome-ignore lint/correctness/noUnreachableSuper: the arrow function is always called
      constructor(ctx, env) {
        const run = new Run("other", ctx, null, "constructor");
        run.over = true;
        try {
          current.run(run, () => super(ctx, env));
        } catch (error) {
          unborn = { run, message: messageOf(error) };
          thrownIn(run, error);
          throw error;
        }
        contexts.set(this, ctx);
        for (const name of HANDLERS) if (Object.hasOwn(this, name)) observeField(this, name);
      }
    },
  };
  for (const name of methodsOf(User.prototype)) {
    const { value } = Object.getOwnPropertyDescriptor(
      {
        [name](...args) {
          return noted(this, name, User.prototype[name], args);
        },
      },
      name,
    );
    Object.defineProperty(value, "length", { value: User.prototype[name].length, configurable: true });
    Object.defineProperty(Observed.prototype, name, { value, writable: true, configurable: true });
  }
  return Observed;
}

/** Methods of the user's own, without accessors, down to what workerd or JavaScript provide. */
function methodsOf(prototype) {
  const names = new Set();
  for (let at = prototype; at !== null && isUsers(at); at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const { value } = Object.getOwnPropertyDescriptor(at, name);
      if (name !== "constructor" && typeof value === "function") names.add(name);
    }
  }
  return names;
}

function isUsers(prototype) {
  return prototype !== Object.prototype && prototype !== DurableObject.prototype;
}

function observeField(instance, name) {
  const own = instance[name];
  if (typeof own !== "function") return;
  // Not an assignment: it would throw on a frozen instance.
  Reflect.defineProperty(instance, name, {
    value(...args) {
      return noted(this, name, own, args);
    },
    writable: true,
    enumerable: true,
    configurable: true,
  });
}

/** Calls the user's method; as a run of its own unless it is called from inside one. */
function noted(self, name, method, args) {
  if (inside || current.getStore() !== undefined) return apply(method, self, args);
  const run = runOf(name, contexts.get(self), args[0]);
  inside = true;
  let result;
  try {
    result = current.run(run, apply, method, self, args);
  } catch (error) {
    failed(run, error);
    throw error;
  } finally {
    inside = false;
  }
  if (result instanceof Promise)
    apply(then, result, [(value) => succeeded(run, value), (error) => failed(run, error)]);
  else succeeded(run, result);
  return result;
}

function runOf(name, ctx, first) {
  if (name === "fetch") return new Run("fetch", ctx, first);
  if (name === "alarm") return new Run("alarm", ctx, null);
  const socketEvent = SOCKET_EVENTS[name];
  return socketEvent === undefined
    ? new Run("rpc", ctx, null, name)
    : new Run("websocket", ctx, null, socketEvent);
}

function succeeded(run, value) {
  end(run, run.event === "fetch" ? (value?.status ?? null) : null, false);
}

function failed(run, error) {
  const id = run.event === "fetch" ? run.request.headers.get("x-request-id") : null;
  if (id !== null) {
    if (failures.size >= MAX_FAILURES) failures.clear();
    failures.add(id);
  }
  thrownIn(run, error);
  end(run, null, true);
}

/** A request has come in. Its front outlives an instance that breaks, so it carries what there is to tell. */
export function begin(execution) {
  schedule(execution);
}

/** The front was told that a request failed; tells what the instance could not. */
export function crashed(request, execution, error) {
  if (failures.delete(request.headers.get("x-request-id"))) return;
  const asked = new Run("fetch", execution, request);
  if (unborn?.message === messageOf(error)) {
    const { actorId } = unborn.run.about ?? {};
    unborn.run.about = { ...aboutOf(asked), actorId: actorId ?? null };
    unborn = undefined;
    return end(asked, null, true);
  }
  thrownIn(asked, { __proto__: Error.prototype, name: error?.name, message: error?.message, stack: null });
  end(asked, null, true);
}

function messageOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return "";
  }
}
