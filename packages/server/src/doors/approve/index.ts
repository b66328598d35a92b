import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { errors } from "../../kernel/errors.ts";
import { readText } from "../http/body.ts";
import { toAmbitError } from "../http/errors.ts";
import type { ApprovePageDeps } from "./deps.ts";
import { PAGE_HEADERS, type Page } from "./layout.ts";
import { limits } from "./limits.ts";
import { formRefusal, type Place, placeRefusal } from "./place.ts";
import { problemPage } from "./problem-page.ts";
import { createSteps, type Step, type Visit } from "./steps.ts";

export type { ApprovePageDeps } from "./deps.ts";
export { approveErrors } from "./errors.ts";

type Request = FastifyRequest<{ Params: { id: string } }>;

/** `/approve/<id>`: a page on which a person signs in with a key and decides. Plain HTML; no script runs on it. */
export function registerApprovePage(fastify: FastifyInstance, deps: ApprovePageDeps): void {
  const steps = createSteps(deps);
  fastify.register(async (scope) => {
    acceptForms(scope);
    scope.addHook("onRequest", async (request) => {
      const place = placeOf(request, deps.publicUrl());
      const refusal = placeRefusal(place) ?? (request.method === "POST" ? formRefusal(place) : null);
      if (refusal !== null) throw refusal;
      if (!isApprovalId((request as Request).params.id)) throw errors.RESOURCE_NOT_FOUND();
    });
    scope.setErrorHandler((error, request, reply) => {
      const { id } = request.params as { id?: string };
      const known = toAmbitError(error, deps.log, request.id);
      return send(reply, problemPage(known, null, id !== undefined && isApprovalId(id) ? id : null));
    });
    const handle = (step: Step) => async (request: Request, reply: FastifyReply) =>
      send(reply, await step(visitOf(request)));
    scope.get<{ Params: { id: string } }>("/approve/:id", handle(steps.show));
    scope.post<{ Params: { id: string } }>("/approve/:id/sign-in", handle(steps.signIn));
    scope.post<{ Params: { id: string } }>("/approve/:id/sign-out", handle(steps.signOut));
    scope.post<{ Params: { id: string } }>("/approve/:id/confirm", handle(steps.confirm));
    scope.post<{ Params: { id: string } }>("/approve/:id/decide", handle(steps.decide));
  });
}

const isApprovalId = (id: string): boolean => /^apr_[0-9a-z]{26}$/.test(id);

const placeOf = ({ host, headers, socket }: FastifyRequest, publicUrl: string): Place => ({
  host,
  origin: headers.origin,
  fetchSite: headers["sec-fetch-site"] as string | undefined,
  localPort: socket.localPort,
  publicUrl,
});

const visitOf = (request: Request): Visit => ({
  approvalId: request.params.id,
  cookies: request.headers.cookie,
  ip: request.ip,
  form: (request.body as Record<string, string> | undefined) ?? {},
});

/** Only what a form on the page sends; nothing else can be posted here. */
function acceptForms(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    "application/x-www-form-urlencoded",
    async (request: FastifyRequest, payload: IncomingMessage) =>
      Object.fromEntries(new URLSearchParams(await readText(request, payload, limits.bodyBytes))),
  );
  scope.addContentTypeParser("*", async () => {
    throw errors.REQUEST_ERROR({
      message: "Only the forms of this page can be sent here.",
      remediation: "Programs use the API: POST /v1/approvals/<id>/approve or /reject, with a person's key.",
    });
  });
}

function send(reply: FastifyReply, page: Page): FastifyReply {
  // Nobody's scripts have any business with what this page says.
  for (const name of Object.keys(reply.getHeaders())) {
    if (name.startsWith("access-control-")) reply.removeHeader(name);
  }
  return reply
    .status(page.status)
    .headers({ ...PAGE_HEADERS, ...page.headers })
    .send(page.body.text);
}
