import { DurableObject } from "cloudflare:workers";

/** One piece of work for all who ask at once. */
export class PromiseCache extends DurableObject {
  private runs = 0;
  private readonly running = new Map<string, Promise<string>>();

  async fetch(request: Request): Promise<Response> {
    const key = new URL(request.url).searchParams.get("key")!;
    let promise = this.running.get(key);
    if (promise === undefined) {
      promise = this.work(key);
      this.running.set(key, promise);
    }
    return new Response(await promise);
  }

  private async work(key: string): Promise<string> {
    this.runs += 1;
    const run = this.runs;
    await scheduler.wait(50);
    return `${key} by run ${run}`;
  }
}
