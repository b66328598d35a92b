import * as workers from "cloudflare:workers";
import { DurableObject } from "cloudflare:workers";

/** Looks for anything that isn't its own. */
export class Spy extends DurableObject<Record<string, unknown>> {
  async fetch(request: Request): Promise<Response> {
    const found: string[] = [];
    const seen = new Set<unknown>();
    const look = (value: unknown, depth: number) => {
      if (value === null || depth > 6) return;
      if (typeof value === "string") found.push(value);
      if (typeof value === "function") found.push(Function.prototype.toString.call(value));
      if ((typeof value !== "object" && typeof value !== "function") || seen.has(value)) return;
      seen.add(value);
      for (const key of Reflect.ownKeys(value as object)) {
        found.push(String(key));
        try {
          look((value as any)[key], depth + 1);
        } catch {
          // A getter that doesn't want to be asked this way.
        }
      }
      look(Object.getPrototypeOf(value), depth + 1);
    };
    for (const thing of [globalThis, this.env, workers, workers.env, this.ctx, this, butterbase])
      look(thing, 0);
    look(butterbase.ctx(request, this.env, this.ctx), 0);
    look([...request.headers], 0);
    found.push(new Error("where am I").stack ?? "");
    try {
      throw butterbase.ctx(null as any, null as any, null as any);
    } catch (error) {
      found.push(String((error as Error)?.stack ?? ""));
    }
    return Response.json({ env: Object.keys(this.env), imported: Object.keys(workers.env), found });
  }
}
