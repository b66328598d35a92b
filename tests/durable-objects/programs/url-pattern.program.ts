import { DurableObject } from "cloudflare:workers";

type Handler = (found: Record<string, string | undefined>, url: URL) => unknown;

/** A router of URLPatterns. */
export class UrlPattern extends DurableObject {
  private readonly routes: [URLPattern, Handler][] = [
    [new URLPattern({ pathname: "/_do/url-pattern/:id/users/:user" }), ({ user }) => ({ user })],
    [new URLPattern({ pathname: "/_do/url-pattern/:id/files/*" }), (found) => ({ file: found["0"] })],
    [new URLPattern({ pathname: "/_do/url-pattern/:id/n/:n(\\d+)" }), ({ n }) => ({ n: Number(n) })],
    [new URLPattern({ pathname: "/_do/url-pattern/:id/opt/:a?" }), ({ a }) => ({ a: a ?? null })],
  ];

  fetch(request: Request): Response {
    const url = new URL(request.url);
    for (const [pattern, handler] of this.routes) {
      const found = pattern.exec({ pathname: url.pathname });
      if (found !== null) return Response.json(handler(found.pathname.groups, url));
    }
    const query = new URLSearchParams("b=2&a=1&a=%20x+y");
    query.sort();
    return Response.json(
      { query: String(query), all: query.getAll("a"), base: new URL("../x?y#z", "http://h/a/b/").href },
      { status: 404 },
    );
  }
}
