import { z } from "zod";
import { type AppCall, appOperation } from "../../kernel/operation.ts";
import { readAnswer } from "./calls.ts";
import type { FunctionRoute } from "./catalogue.ts";
import { functionErrors } from "./errors.ts";
import { dataOf } from "./inside.ts";
import { type Admitted, decideInvoke } from "./invoke-access.ts";
import type { FunctionsService } from "./service.ts";
import { appId, functionName } from "./shapes.ts";

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;

const output = z.object({
  status: z.number().describe("HTTP status the function answered with"),
  headers: z.record(z.string(), z.string()),
  body: z.unknown().describe("JSON value, or text"),
  duration_ms: z.number(),
});

/** `functions.invoke`: a call of a function by the key that asks for it, whatever triggers it has. */
export const invokeOperation = (service: FunctionsService) =>
  appOperation({
    name: "functions.invoke",
    title: "Invoke a function",
    summary:
      "Calls a function and shows its answer: status, headers, body. It runs for the calling key; with the header X-Butterbase-As-User it runs for that user. Errors come with message and stack.",
    input: z.object({
      app_id: appId,
      name: functionName,
      method: z.enum(METHODS).optional().describe("Default POST"),
      body: z.unknown().optional().describe("JSON value; a text is sent as it is"),
      headers: z.record(z.string(), z.string()).optional().describe("Further request headers"),
    }),
    output,
    right: "develop",
    risk: "execute",
    idempotent: false,
    whilePaused: false,
    secretFields: ["body", "headers"],
    errors: [
      "FUNCTION_NOT_FOUND",
      "FUNCTION_TIMEOUT",
      "FUNCTION_BLOCKED",
      "AUTH_IMPERSONATION_DISABLED",
      "RUNTIME_UNAVAILABLE",
      "RUNTIME_STOPPED",
      "RUNTIME_UNSUPPORTED",
      "APP_PAUSED",
    ],
    audit: {
      category: "function",
      action: "invoke",
      resourceType: "function",
      resourceId: (input) => input.name,
    },
    http: {
      method: "POST",
      path: "/v1/:app_id/functions/:name/invoke",
      bodyAs: "body",
      status: (answer: z.infer<typeof output>) => answer.status,
      present: (answer: z.infer<typeof output>) => answer.body,
    },
    mcp: { tool: "invoke_function", rename: { function_name: "name" } },
    async run(call, input) {
      const route = (await service.find(call.app.id))?.byName.get(input.name);
      if (route === undefined) throw functionErrors.FUNCTION_NOT_FOUND();
      const given = Object.entries(input.headers ?? {});
      const admitted = admit(call, route, given);
      const startedAt = performance.now();
      const answer = await service.calls.run(
        {
          route,
          trigger: "invoke",
          principal: admitted.principal,
          key: admitted.key,
          internalCaller: null,
          loopDepth: 0,
          verbose: true,
          ip: call.ip,
          method: input.method ?? "POST",
          path: `/fn/${route.name}`,
          headers: requestHeaders(route, given, input.body),
          body: bodyOf(input.method ?? "POST", input.body),
        },
        call.signal,
      );
      const body = await readAnswer(answer);
      return {
        status: answer.status,
        headers: shownHeaders(answer.headers),
        body: dataOf({ ...answer, body }),
        duration_ms: Math.round(performance.now() - startedAt),
      };
    },
  });

function admit(call: AppCall, route: FunctionRoute, headers: readonly [string, string][]): Admitted {
  const asUser = headers.find(([name]) => name.toLowerCase() === "x-butterbase-as-user")?.[1];
  const decision = decideInvoke({
    auth: "required",
    principal: call.principal,
    app: call.app,
    asUser,
    allowImpersonation: route.allowsImpersonation,
    nowMs: call.nowMs,
  });
  if ("refusal" in decision) throw decision.refusal;
  return decision;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Said by Ambit, or by the connection. */
const RESERVED =
  /^(x-butterbase-|x-ambit-)|^(host|authorization|x-request-id|content-length|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|proxy-.*)$/i;

function requestHeaders(route: FunctionRoute, given: readonly [string, string][], body: unknown): string[] {
  const headers = ["host", route.host];
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  if (body !== undefined && !names.has("content-type")) {
    headers.push("content-type", typeof body === "string" ? "text/plain; charset=utf-8" : "application/json");
  }
  for (const [name, value] of given) {
    if (TOKEN.test(name) && VALUE.test(value) && !RESERVED.test(name)) headers.push(name, value);
  }
  return headers;
}

function bodyOf(method: string, body: unknown): Buffer | null {
  if (body === undefined || method === "GET") return null;
  return Buffer.from(typeof body === "string" ? body : JSON.stringify(body));
}

function shownHeaders(flat: readonly string[]): Record<string, string> {
  const shown: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase();
    shown[name] = name in shown ? `${shown[name]}, ${flat[i + 1]}` : flat[i + 1]!;
  }
  return shown;
}
