import { DurableObject } from "cloudflare:workers";

/** Tells the address as it arrived, and the name of the instance. */
export class Paths extends DurableObject {
  fetch(request: Request): Response {
    const url = new URL(request.url);
    return Response.json({
      name: this.ctx.id.name,
      path: url.pathname,
      search: url.search,
      query: [...url.searchParams],
      protocol: url.protocol,
      host: request.headers.get("host") === url.host,
    });
  }
}
