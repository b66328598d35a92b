import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { limits } from "../../features/data/limits.ts";
import {
  type DataService,
  decideCaller,
  parsePrefer,
  parseQueryString,
  type RowsTarget,
} from "../../features/data/service.ts";
import { errors } from "../../kernel/errors.ts";
import { limits as kernelLimits } from "../../kernel/limits.ts";
import type { App } from "../../kernel/operation.ts";
import type { Principal } from "../../kernel/principal.ts";
import { readText } from "./body.ts";

export interface DataRouteDeps {
  readonly data: DataService;
  readonly apps: { find(reference: string): Promise<App | null> };
  resolvePrincipal(authorization: string | undefined, appId: string, ip: string): Promise<Principal>;
  clock(): number;
}

interface RowParams {
  app_id: string;
  table: string;
  id: string;
}
type Request = FastifyRequest<{ Params: RowParams; Body: string | undefined }>;

const TARGET = "rowsTarget";
const JSON_TYPE = "application/json; charset=utf-8";

/**
 * Rows over HTTP: `/v1/:app_id/:table[/:id]`, and `/v1/:app_id/data/:table[/:id]` for tables whose names are taken by
 * other routes. Bodies pass through as text; Postgres reads and writes the JSON.
 */
export function registerDataRoutes(fastify: FastifyInstance, deps: DataRouteDeps): void {
  fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.decorateRequest(TARGET, null);
    // Who writes is known before the body is read: those without a key may send less.
    scope.addContentTypeParser("*", async (request: FastifyRequest, payload: IncomingMessage) => {
      const { identity } = request.getDecorator<RowsTarget>(TARGET);
      return readText(
        request,
        payload,
        identity.role === "service" ? kernelLimits.bodyBytes : kernelLimits.rowsBodyBytes,
      );
    });
    scope.addHook("onRequest", async (request) => {
      const right = request.method === "GET" || request.method === "HEAD" ? "view" : "develop";
      request.setDecorator(TARGET, await targetOf(deps, request as Request, right));
    });
    for (const base of ["/v1/:app_id/:table", "/v1/:app_id/data/:table"]) {
      scope.get<{ Params: RowParams }>(base, (request, reply) => list(deps, request as Request, reply));
      scope.post<{ Params: RowParams }>(base, (request, reply) => insert(deps, request as Request, reply));
      scope.patch<{ Params: RowParams }>(base, (request, reply) => update(deps, request as Request, reply));
      scope.delete<{ Params: RowParams }>(base, (request, reply) => remove(deps, request as Request, reply));
      const row = `${base}/:id`;
      scope.get<{ Params: RowParams }>(row, (request, reply) => get(deps, request as Request, reply));
      scope.patch<{ Params: RowParams }>(row, (request, reply) => updateOne(deps, request as Request, reply));
      scope.delete<{ Params: RowParams }>(row, (request, reply) =>
        removeOne(deps, request as Request, reply),
      );
    }
  });
}

async function list(deps: DataRouteDeps, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  const target = request.getDecorator<RowsTarget>(TARGET);
  const { count } = preferences(request);
  const page = await deps.data.list(target, queryString(request), { count, cursor: false });
  reply.header("content-range", contentRange(page.offset, page.rows, page.total));
  if (page.nextCursor !== null) reply.header("x-ambit-next-cursor", page.nextCursor);
  if (page.cutByDefault) reply.header("x-ambit-default-limit", limits.defaultRows);
  return sendJson(reply, 200, page.body);
}

async function get(deps: DataRouteDeps, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  const target = request.getDecorator<RowsTarget>(TARGET);
  const query = parseQueryString(queryString(request));
  return sendJson(reply, 200, await deps.data.get(target, request.params.id, query));
}

async function insert(deps: DataRouteDeps, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  const target = request.getDecorator<RowsTarget>(TARGET);
  const { minimal, resolution } = preferences(request);
  const query = parseQueryString(queryString(request));
  const inserted = await deps.data.insert(target, request.body ?? "", query, { minimal, resolution });
  if (minimal) return reply.status(204).send();
  // A lone row that was there already and was left alone: nothing has been created.
  return sendJson(reply, inserted.body === "null" ? 200 : 201, inserted.body);
}

async function update(deps: DataRouteDeps, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  const target = request.getDecorator<RowsTarget>(TARGET);
  const { minimal } = preferences(request);
  const what = { id: null, query: parseQueryString(queryString(request)) };
  const answer = minimal ? ({ kind: "none" } as const) : ({ kind: "many", rows: limits.maxRows } as const);
  const changed = await deps.data.update(target, what, request.body ?? "", answer);
  reply.header("content-range", contentRange(0, Math.min(changed.rows, limits.maxRows), changed.rows));
  return minimal ? reply.status(204).send() : sendJson(reply, 200, changed.body);
}

async function updateOne(deps: DataRouteDeps, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  const target = request.getDecorator<RowsTarget>(TARGET);
  const { minimal } = preferences(request);
  const what = { id: request.params.id, query: parseQueryString(queryString(request)) };
  const answer = { kind: minimal ? "none" : "one" } as const;
  const changed = await deps.data.update(target, what, request.body ?? "", answer);
  return minimal ? reply.status(204).send() : sendJson(reply, 200, changed.body);
}

async function remove(deps: DataRouteDeps, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  const target = request.getDecorator<RowsTarget>(TARGET);
  const what = { id: null, query: parseQueryString(queryString(request)) };
  const deleted = await deps.data.remove(target, what);
  if (preferences(request).minimal) return reply.status(204).send();
  return sendJson(reply, 200, JSON.stringify({ deleted }));
}

async function removeOne(deps: DataRouteDeps, request: Request, reply: FastifyReply): Promise<FastifyReply> {
  const target = request.getDecorator<RowsTarget>(TARGET);
  const what = { id: request.params.id, query: parseQueryString(queryString(request)) };
  await deps.data.remove(target, what);
  if (preferences(request).minimal) return reply.status(204).send();
  return sendJson(reply, 200, '{"deleted":true}');
}

/** The table the path names, as whoever the request runs as. */
async function targetOf(
  { apps, resolvePrincipal, clock }: DataRouteDeps,
  request: Request,
  right: "view" | "develop",
): Promise<RowsTarget> {
  const { app_id: reference, table } = request.params;
  const app = await apps.find(reference);
  if (app === null) {
    throw errors.RESOURCE_NOT_FOUND({
      message: `There is no app ${reference.slice(0, 80)}.`,
      remediation: "Check the app id in the path; GET /apps lists yours.",
    });
  }
  const { headers } = request;
  const decision = decideCaller({
    principal: await resolvePrincipal(headers.authorization, app.id, request.ip),
    app,
    asRole: headers["x-butterbase-as-role"]?.toString(),
    asUser: headers["x-butterbase-as-user"]?.toString(),
    right,
    nowMs: clock(),
  });
  if ("refusal" in decision) throw decision.refusal;
  return { appId: app.id, identity: decision.identity, table };
}

const preferences = (request: Request) => parsePrefer(request.headers.prefer?.toString());

/** The query as it came, which is also what compiled lists are kept by. */
function queryString({ url }: Request): string {
  const mark = url.indexOf("?");
  return mark === -1 ? "" : url.slice(mark + 1);
}

/** `0-9/120`; `*` for what is not known, as RFC 9110 writes ranges. */
function contentRange(offset: number, rows: number, total: number | null): string {
  const range = rows === 0 ? "*" : `${offset}-${offset + rows - 1}`;
  return `${range}/${total ?? "*"}`;
}

const sendJson = (reply: FastifyReply, status: number, body: string): FastifyReply =>
  reply.status(status).header("content-type", JSON_TYPE).send(body);
