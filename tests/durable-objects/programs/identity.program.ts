import { DurableObject } from "cloudflare:workers";

/** Tells every header it was given, and what `butterbase.ctx` makes of them. */
export class Identity extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") === "websocket") {
      const { 0: client, 1: server } = new WebSocketPair();
      server.accept();
      server.send(JSON.stringify(this.report(request)));
      return new Response(null, { status: 101, webSocket: client });
    }
    const headers = new Headers({
      "content-type": "text/html",
      "set-cookie": "session=stolen; Path=/",
      "x-test-kept": "kept",
      "content-security-policy": "default-src *",
      "x-content-type-options": "none",
      "access-control-allow-origin": "*",
      "service-worker-allowed": "/",
      "clear-site-data": '"*"',
      "x-ambit-waiting": "1",
    });
    headers.append("set-cookie", "second=1; Domain=localhost");
    return new Response(JSON.stringify(this.report(request)), { headers });
  }

  private report(request: Request): object {
    const context = butterbase.ctx(request, this.env, this.ctx);
    return {
      headers: [...request.headers],
      url: request.url,
      name: this.ctx.id.name,
      user: context.user?.id ?? null,
      caller: context.request.caller ?? null,
      loopDepth: context.request.loopDepth,
    };
  }
}
