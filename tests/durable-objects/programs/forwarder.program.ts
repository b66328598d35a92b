import { DurableObject } from "cloudflare:workers";

/** Hands requests on: new Request from an old one, clones, and answers that are passed through changed. */
export class Forwarder extends DurableObject<{ FORWARDER: DurableObjectNamespace }> {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/target")) {
      return new Response(`${request.method} ${request.headers.get("x-test-via")} ${await request.text()}`, {
        status: 203,
        headers: { "x-test-origin": "target" },
      });
    }
    const copy = request.clone();
    const onward = new Request(new URL("/_do/forwarder/other/target", url), request);
    onward.headers.set("x-test-via", "forwarder");
    const answer = await this.env.FORWARDER.getByName("other").fetch(onward);
    const changed = new Response(answer.body, answer);
    changed.headers.set("x-test-seen", String((await copy.text()).length));
    return changed;
  }
}
