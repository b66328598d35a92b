import { invokeUnit, targetOf } from "./callbacks.js";
import { substrateOf } from "./substrate.js";
import { token } from "./unit.js";

/**
 * `butterbase.ctx(request, env, state)` for classes: who calls, and the way to functions, other instances and the
 * substrate. Without a request (alarms, socket handlers) calls are made as the class itself, with no user.
 */
function ctx(request, env, state) {
  const headers = request?.headers;
  const id = headers?.get("x-request-id") ?? null;
  const loopDepth = Number(headers?.get("x-butterbase-loop-depth") ?? 0) || 0;
  const userId = headers?.get("x-butterbase-caller-user") ?? null;
  // Once the request is over, its id says nothing any more: the call is the class's own then.
  const identity =
    id === null ? { "x-ambit-unit": token } : { "x-ambit-invocation": id, "x-ambit-unit": token };
  return {
    env,
    state,
    user: userId === null ? null : { id: userId },
    request: {
      id,
      loopDepth,
      /** Name of the function or class that calls; null for calls from outside. */
      caller: headers?.get("x-butterbase-internal-caller") ?? null,
      callerType: headers?.get("x-butterbase-caller-type") ?? null,
      keyId: headers?.get("x-butterbase-caller-key") ?? null,
    },
    invoke: (name, body, options) => invokeUnit(identity, loopDepth, targetOf("fn", name), body, options),
    invokeDO: (className, instance, body, options) =>
      invokeUnit(identity, loopDepth, targetOf("do", className, instance), body, options),
    get substrate() {
      return substrateOf(identity);
    },
  };
}

Object.defineProperty(globalThis, "butterbase", {
  value: Object.freeze({ ctx }),
  writable: false,
  enumerable: true,
  configurable: false,
});
