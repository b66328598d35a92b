import { DurableObject } from "cloudflare:workers";

/** Answers of every kind, with and without a body. */
export class Statuses extends DurableObject {
  fetch(request: Request): Response {
    const url = new URL(request.url);
    const status = Number(url.searchParams.get("status") ?? "200");
    if (url.pathname.endsWith("/redirect"))
      return Response.redirect(`${url.origin}/elsewhere?a=1#frag`, status);
    if (url.pathname.endsWith("/relative"))
      return new Response(null, { status, headers: { location: "../up" } });
    if (url.pathname.endsWith("/empty")) return new Response("");
    const bodyless = [204, 205, 304].includes(status);
    return new Response(bodyless ? null : `status ${status}`, {
      status,
      statusText: status === 299 ? "Quite Fine" : undefined,
      headers: { etag: '"v1"', "cache-control": "no-cache", "x-test-method": request.method },
    });
  }
}
