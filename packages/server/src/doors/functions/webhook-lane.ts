import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { functionErrors } from "../../features/functions/service.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import { addressOf } from "../http/client-address.ts";
import type { HttpLane } from "../http/lanes.ts";
import { sendRawError } from "../http/raw.ts";
import { userAnswerHeaders } from "../http/user-answer.ts";
import { userRequestHeaders } from "../http/user-request.ts";
import { HeldBytes, heldBody } from "./body.ts";
import type { FunctionDoorDeps } from "./deps.ts";
import { isUnder, readUrl, restWithoutKeys } from "./url.ts";

const DUPLICATE = '{"ok":true,"duplicate":true}';

/** `POST /v1/<app>/webhook/<name>`: the signature is over the body as it came, so nothing reads it before. */
export function createWebhookLane(deps: FunctionDoorDeps): HttpLane {
  const held = new HeldBytes();
  return {
    matches: (url) => isUnder(url, "webhook"),
    handle(request, response, url) {
      answer(deps, held, request, response, url).catch((error) =>
        sendRawError(response, error, newUuid(), deps.log, deps.publicUrl()),
      );
    },
  };
}

async function answer(
  deps: FunctionDoorDeps,
  held: HeldBytes,
  request: IncomingMessage,
  response: ServerResponse,
  url: string,
): Promise<void> {
  const named = readUrl(url, "webhook");
  const functions = named === null ? null : await deps.functions.find(named.reference);
  const route = functions?.byName.get(named!.name);
  if (named === null || functions === null || route === undefined || route.webhook === null)
    throw functionErrors.FUNCTION_NOT_FOUND();
  if (request.method !== "POST") {
    throw errors.RESOURCE_NOT_FOUND({
      message: "Webhooks are sent with POST.",
      remediation: "Send the event with POST.",
    });
  }
  if (functions.app.paused) throw errors.APP_PAUSED({ headers: { "Retry-After": "60" } });
  const ownHost = url !== request.url;
  const answered = await deps.functions.webhook({
    route,
    parsed: request.headers,
    headers: userRequestHeaders(request.rawHeaders, { host: route.host, ownHost }),
    body: await heldBody(request, held, functions.app.id),
    path: `/webhook/${named.name}${restWithoutKeys(named.rest)}`,
    ip: addressOf(request, deps.trustedProxies),
  });
  if (answered === null) {
    response.writeHead(200, {
      "content-type": "application/json; charset=utf-8",
      "content-length": DUPLICATE.length,
      "x-butterbase-duplicate": "1",
    });
    response.end(DUPLICATE);
    return;
  }
  const { requestId } = answered;
  response.writeHead(answered.status, userAnswerHeaders(answered.headers, { requestId, ownHost }));
  pipeline(answered.body, response, () => {});
}
