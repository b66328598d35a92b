import { DurableObject } from "cloudflare:workers";

/** Values near the documented limit of 2 MB for key and value together, and long keys. */
export class LargeValues extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const { storage } = this.ctx;
    const url = new URL(request.url);
    const key = url.searchParams.get("key") ?? "k".repeat(Number(url.searchParams.get("keyBytes")));
    if (request.method === "PUT") {
      try {
        await storage.put(key, new Uint8Array(await request.arrayBuffer()));
        return new Response(null, { status: 204 });
      } catch (error) {
        return new Response((error as Error).name, { status: 413 });
      }
    }
    const value = await storage.get<Uint8Array>(key);
    if (value === undefined) return new Response("none", { status: 404 });
    return new Response(value, { headers: { "content-type": "application/octet-stream" } });
  }
}
