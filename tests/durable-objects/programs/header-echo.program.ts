import { DurableObject } from "cloudflare:workers";

/** Headers in, headers out. */
export class HeaderEcho extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const sent = [...request.headers].filter(([name]) => name.startsWith("x-test-"));
    const headers = new Headers({ "x-test-out": "plain", "content-type": "application/json; charset=utf-8" });
    headers.append("x-test-many", "one");
    headers.append("x-test-many", "two, three");
    headers.set("x-test-empty", "");
    headers.set("x-test-long", "v".repeat(4_000));
    return new Response(
      JSON.stringify({
        sent,
        accept: request.headers.get("accept"),
        type: request.headers.get("content-type"),
        agent: request.headers.get("user-agent"),
        cookie: request.headers.get("cookie"),
        body: await request.text(),
        method: request.method,
      }),
      { headers },
    );
  }
}
