import { DurableObject } from "cloudflare:workers";

/** The rest of the platform: clones, forms, blobs, aborts, texts, dates. */
export class WebApis extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    if (request.method === "POST") return this.form(request);
    const aborted = await scheduler
      .wait(1_000, { signal: AbortSignal.timeout(5) })
      .catch((error) => error.name);
    const target = new EventTarget();
    const heard: string[] = [];
    target.addEventListener("hey", (event) => heard.push(event.type), { once: true });
    target.dispatchEvent(new Event("hey"));
    target.dispatchEvent(new Event("hey"));
    const clone = structuredClone({ at: new Date(5), map: new Map([[1, new Set(["x"])]]) });
    return Response.json({
      aborted,
      heard,
      clone: [clone.at.getTime(), [...clone.map.get(1)!]],
      base64: [btoa("ab\xff"), atob("YWL/").length],
      blob: [await new Blob(["ab", "cd"]).slice(1, 3).text(), new Blob(["x"], { type: "text/x" }).type],
      intl: new Intl.NumberFormat("en-US", { style: "currency", currency: "EUR" }).format(1234.5),
      date: new Date(0).toLocaleDateString("en-GB", { timeZone: "UTC", month: "long", day: "numeric" }),
      json: JSON.stringify({ "\u2028": 1n < 2, u: undefined }),
      grouped: Object.groupBy([1, 2, 3], (n) => (n % 2 ? "odd" : "even")),
      agent: navigator.userAgent,
      eval: (() => {
        try {
          // biome-ignore lint/security/noGlobalEval: that it is refused is what is tested
          return eval("1 + 1");
        } catch (error) {
          return (error as Error).name;
        }
      })(),
      node: typeof process === "undefined" ? "no process" : typeof (globalThis as any).require,
    });
  }

  private async form(request: Request): Promise<Response> {
    const form = await request.formData();
    const parts: unknown[] = [];
    for (const [name, value] of form) {
      parts.push([
        name,
        typeof value === "string" ? value : { file: value.name, type: value.type, text: await value.text() },
      ]);
    }
    return Response.json(parts);
  }
}
