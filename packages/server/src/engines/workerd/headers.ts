/**
 * Whether only Ambit may say a header of this name (lower case) to user code: with those it tells who calls. Also with
 * underscores, since what turns headers into variables takes both for the same. Pure.
 */
export function isReservedHeader(name: string): boolean {
  return name.startsWith("x") && /^x[-_](?:butterbase|ambit)[-_]/.test(name);
}

/** To an actor, beside `x-request-id`. */
export const actorHeaders = {
  /** `anonymous`, `end_user_jwt`, `service_key`, `function` or `actor`. */
  callerType: "x-butterbase-caller-type",
  /** The end user's id, also when a function or an actor calls on the user's behalf. */
  callerUser: "x-butterbase-caller-user",
  /** Id of the key, for `service_key`. */
  callerKey: "x-butterbase-caller-key",
  /** Name of the function or class that calls, for calls from inside the app. */
  internalCaller: "x-butterbase-internal-caller",
  /** How many calls inside the app led here; absent for 0. */
  loopDepth: "x-butterbase-loop-depth",
} as const;

/** To a function: a FunctionContext as ASCII JSON. */
export const CONTEXT_HEADER = "x-ambit-context";

/** From a function: it goes on working after its answer (`ctx.waitUntil`). Removed before the caller sees it. */
export const WAITING_HEADER = "x-ambit-waiting";

/** From user code to Ambit, over the program's own socket: on behalf of which request (its `x-request-id`). */
export const INVOCATION_HEADER = "x-ambit-invocation";
/** From an actor to Ambit outside any request (alarms, sockets): which class. Its value is made per process. */
export const UNIT_HEADER = "x-ambit-unit";

/** What a function is told about the call; the part of `ctx` that is data. */
export interface FunctionContext {
  readonly requestId: string;
  readonly functionName: string;
  readonly trigger: "http" | "invoke" | "cron" | "webhook" | "websocket" | "hook" | "internal";
  readonly caller: {
    readonly type: "anonymous" | "end_user_jwt" | "service_key" | "loopback";
    readonly keyId?: string;
    readonly scope?: string;
    readonly userId?: string;
    /** Function or class inside the app that called. */
    readonly internalCaller?: string;
  };
  readonly user: { readonly id: string; readonly email?: string } | null;
  readonly ip: string | null;
  readonly loopDepth: number;
  readonly app: { readonly id: string; readonly name: string; readonly subdomain: string };
  /** The function's owner asked for `ctx.db.asService()`. */
  readonly mayUseService: boolean;
  /** Whether failures are told with message and stack: the caller is a developer of the app. */
  readonly verbose: boolean;
}
