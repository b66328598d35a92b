import { z } from "zod";
import { type AppCall, appOperation } from "../../kernel/operation.ts";
import { CALL_METHODS, givenBody, givenHeaders, showAnswer, shownAnswer } from "../runtime/service.ts";
import type { FunctionRoute } from "./catalogue.ts";
import { functionErrors } from "./errors.ts";
import { type Admitted, decideInvoke } from "./invoke-access.ts";
import type { FunctionsService } from "./service.ts";
import { appId, functionName } from "./shapes.ts";

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
      method: z.enum(CALL_METHODS).optional().describe("Default POST"),
      body: z.unknown().optional().describe("JSON value; a text is sent as it is"),
      headers: z.record(z.string(), z.string()).optional().describe("Further request headers"),
    }),
    output: shownAnswer,
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
      "RUNTIME_BUSY",
      "RUNTIME_UNSUPPORTED",
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
      status: (answer: z.infer<typeof shownAnswer>) => answer.status,
      present: (answer: z.infer<typeof shownAnswer>) => answer.body,
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
          headers: givenHeaders(route.host, given, input.body),
          body: givenBody(input.method ?? "POST", input.body),
        },
        call.signal,
      );
      const shown = await showAnswer(answer, startedAt);
      if (shown.status !== 500) return shown;
      return { ...shown, body: await service.inSource(call.app.id, route.name, shown.body) };
    },
  });

/** At the HTTP door a header of the request itself, since the body is the function's. */
const AS_USER = "x-butterbase-as-user";

function admit(call: AppCall, route: FunctionRoute, headers: readonly [string, string][]): Admitted {
  const given = headers.find(([name]) => name.toLowerCase() === AS_USER)?.[1] ?? call.headers?.[AS_USER];
  const asUser = Array.isArray(given) ? given[0] : given;
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
