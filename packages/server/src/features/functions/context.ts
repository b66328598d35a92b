import type { FunctionContext } from "../../engines/workerd/headers.ts";
import type { App } from "../../kernel/operation.ts";
import type { KeyPrincipal, Principal } from "../../kernel/principal.ts";

/** What of a function's context differs from call to call. */
export interface ContextFacts {
  readonly trigger: FunctionContext["trigger"];
  readonly principal: Principal;
  readonly key: KeyPrincipal | null;
  readonly internalCaller: string | null;
  readonly ip: string | null;
  readonly loopDepth: number;
  readonly verbose: boolean;
}

/** The end of every context of one function, as JSON text: it is built once and not for each call. */
export function contextTail(name: string, app: App, mayUseService: boolean): string {
  const fixed = {
    functionName: name,
    app: { id: app.id, name: app.name, subdomain: app.subdomain },
    mayUseService,
  };
  return `${ascii(JSON.stringify(fixed)).slice(1)}`;
}

/** A FunctionContext as ASCII JSON. */
export function contextJson(facts: ContextFacts, requestId: string, tail: string): string {
  const { trigger, loopDepth, verbose } = facts;
  const caller = facts.principal.kind === "anonymous" && isPlain(facts) ? ANONYMOUS : callerJson(facts);
  const ip = facts.ip === null ? "null" : `"${facts.ip.replaceAll(/[^0-9A-Za-z.:%_-]/g, "")}"`;
  return `{"requestId":"${requestId}","trigger":"${trigger}",${caller},"ip":${ip},"loopDepth":${loopDepth},"verbose":${verbose},${tail}`;
}

const ANONYMOUS = '"caller":{"type":"anonymous"},"user":null';

const isPlain = ({ key, trigger, internalCaller }: ContextFacts): boolean =>
  key === null && internalCaller === null && !isLoopback(trigger);

/** Ambit itself calls. */
const isLoopback = (trigger: ContextFacts["trigger"]): boolean => trigger === "cron" || trigger === "hook";

function callerJson({ principal, key, trigger, internalCaller }: ContextFacts): string {
  const user = principal.kind === "user" ? principal : null;
  const caller: FunctionContext["caller"] = {
    type: typeOf(principal, key, isLoopback(trigger)),
    ...(key === null ? {} : { keyId: key.keyId, scope: key.scopes.join(" ") }),
    ...(user === null ? {} : { userId: user.userId }),
    ...(internalCaller === null ? {} : { internalCaller }),
  };
  const email = user?.claims.email;
  const shown = user === null ? null : { id: user.userId, ...(typeof email === "string" ? { email } : {}) };
  return ascii(`"caller":${JSON.stringify(caller)},"user":${JSON.stringify(shown)}`);
}

function typeOf(
  principal: Principal,
  key: KeyPrincipal | null,
  loopback: boolean,
): FunctionContext["caller"]["type"] {
  if (key !== null || principal.kind === "key") return "service_key";
  if (principal.kind === "user") return "end_user_jwt";
  return loopback ? "loopback" : "anonymous";
}

/** Header values are ASCII: in JSON every other character can be written as its escape. */
const ascii = (json: string): string =>
  json.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
