import { z } from "zod";
import { namesOf } from "../../engines/platform.ts";
import { hostOf } from "../../kernel/app-host.ts";
import { appOperation } from "../../kernel/operation.ts";
import { CALL_METHODS, givenBody, givenHeaders, showAnswer, shownAnswer } from "../runtime/service.ts";
import { servingClassOf } from "./context.ts";
import { identityHeaders } from "./identity.ts";
import { limits } from "./limits.ts";
import { INSTANCES_TOOL as TOOL } from "./operations.ts";
import { type ActorParts, toActorClass } from "./service.ts";
import { appId, className } from "./views.ts";

/** `durable_objects.invoke`: one request to an instance by the key that asks for it, whatever its access mode. */
export const invokeOperation = ({ context, service }: ActorParts) =>
  appOperation({
    name: "durable_objects.invoke",
    title: "Call an instance",
    summary:
      "Sends one HTTP request to an instance, which comes to be by it, and shows the answer: status, headers, body. It runs for the calling key.",
    input: z.object({
      app_id: appId,
      name: className,
      instance: z
        .string()
        .min(1)
        .max(limits.instanceNameBytes)
        .describe("Name of the instance, such as lobby"),
      method: z.enum(CALL_METHODS).optional().describe("Default POST"),
      path: z
        .string()
        .max(2_000)
        .optional()
        .describe("Path and query after the instance, such as /messages?limit=10"),
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
      ...["RUNTIME_UNAVAILABLE", "RUNTIME_STOPPED", "RUNTIME_TIMEOUT", "RUNTIME_ELSEWHERE"],
      ...["RUNTIME_BUSY", "RUNTIME_UNSUPPORTED"],
    ],
    audit: {
      category: "function",
      action: "invoke",
      resourceType: "durable_object_instance",
      resourceId: ({ name, instance }) => `${name}/${instance}`.slice(0, 500),
    },
    http: { method: "POST", path: "/v1/:app_id/durable-objects/:name/instances/:instance/invoke" },
    mcp: { tool: TOOL, action: "invoke" },
    async run({ app, principal, signal }, input) {
      const actor = toActorClass(await servingClassOf(context, app.id, input.name));
      const { instance, method = "POST", body } = input;
      const host = hostOf(namesOf(context.platform), app);
      const startedAt = performance.now();
      const answer = await service.call(
        {
          ...{ actor, instance, principal, method, internalCaller: null, loopDepth: 0 },
          path: `/_do/${actor.name}/${encodeURIComponent(instance)}${restOf(input.path ?? "")}`,
          headers: [
            ...givenHeaders(host, Object.entries(input.headers ?? {}), body),
            ...identityHeaders(principal),
          ],
          body: givenBody(method, body),
          timeoutMs: limits.invokeMs,
        },
        signal,
      );
      return await showAnswer(answer, startedAt);
    },
  });

/** The path below the instance, resolved, so that it can't lead out of it. */
function restOf(path: string): string {
  const { pathname, search } = new URL(path.startsWith("/") ? `.${path}` : `./${path}`, "http://instance/");
  return `${pathname === "/" ? "" : pathname}${search}`;
}
