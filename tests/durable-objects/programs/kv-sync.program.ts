import { DurableObject } from "cloudflare:workers";

/** The synchronous key-value API; it sees what the other one wrote, and the reverse. */
export class KvSync extends DurableObject {
  async fetch(): Promise<Response> {
    const { storage } = this.ctx;
    const { kv } = storage;
    const log: unknown[] = [];
    kv.put("a", 1);
    kv.put("b", { list: [1, 2, 3] });
    kv.put("c", new Date(0));
    log.push(kv.get("a"), kv.get("b"), (kv.get("c") as Date).toISOString(), kv.get("nothing") === undefined);
    log.push(await storage.get("a"));
    await storage.put("d", "from the other side");
    log.push(kv.get("d"), [...kv.list({ prefix: "", start: "b", limit: 2 })]);
    log.push(
      kv.delete("a"),
      kv.delete("a"),
      [...kv.list({ reverse: true })].map(([key]) => key),
    );
    return Response.json(log);
  }
}
