import { SseParser } from "../../engines/upstream/sse/parser.ts";
import type { UpstreamFailure, UpstreamListener } from "../../engines/upstream/types.ts";
import type { Grant } from "../../features/gateway-grants/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { BuiltinServers } from "../mcp/builtin.ts";
import { limits } from "./limits.ts";
import type { BuiltinRequest, BuiltinServer } from "./types.ts";

/** Who a grant on the built-in server is: an agent of its organisation with the role `developer`, never a person. Pure. */
export const principalOfGrant = (grant: Grant): KeyPrincipal => ({
  ...{ kind: "key", keyId: grant.id, keyKind: "agent", accountId: grant.accountId, role: "developer" },
  ...{ organizationId: grant.organizationId, scopes: ["*", "substrate"], expiresAtMs: grant.expiresAtMs },
  grant: { label: grant.label },
});

/** Ambit's own tools as an upstream of the gateway. */
export function createBuiltinUpstream(
  servers: () => BuiltinServers,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): BuiltinServer {
  const exchange = async (grant: Grant, request: BuiltinRequest, listener: UpstreamListener) => {
    const { message, headers, userAgent, ip, requestId, signal, verbs } = request;
    const caller = { principal: principalOfGrant(grant), requestId, ip, userAgent, nowMs: clock() };
    const face = verbs ? "verbs" : "merged";
    const answer = await servers().exchange(face, caller, headers, message, signal);
    const streaming =
      answer instanceof Response &&
      (answer.headers.get("content-type") ?? "").startsWith("text/event-stream");
    listener.onHead({ status: answer.status, sessionId: null, streaming });
    if (!(answer instanceof Response)) await listener.onMessage({ text: answer.body, eventId: null });
    else if (streaming) await relay(answer, listener);
    else {
      const text = await answer.text();
      if (text !== "") await listener.onMessage({ text, eventId: null });
    }
  };
  return {
    send(grant, request, listener) {
      exchange(grant, request, listener).then(
        () => listener.onEnd(),
        (error: unknown) => {
          if (!request.signal.aborted) {
            log.warn(
              { err: error, requestId: request.requestId },
              "a message to Ambit's own tools broke off",
            );
          }
          listener.onFailure(BROKEN);
        },
      );
    },
  };
}

/** It may have run: the operation had it. */
const BROKEN: UpstreamFailure = { kind: "broken", status: null, ran: "maybe", message: "It broke off." };

async function relay(answer: Response, listener: UpstreamListener): Promise<void> {
  let waiting: (() => void | Promise<void>)[] = [];
  const parser = new SseParser(
    {
      onEvent: (data, _type, eventId) =>
        waiting.push(() => listener.onMessage({ text: data.toString("utf8"), eventId })),
    },
    limits.bodyBytes,
  );
  for await (const chunk of answer.body ?? []) {
    if (!parser.push(Buffer.from(chunk))) throw new Error("a message is too large");
    const ready = waiting;
    waiting = [];
    for (const pass of ready) await pass();
  }
}
