import { DurableObject } from "cloudflare:workers";

/** An alarm that fails as often as it was told to, then works. */
export class AlarmRetry extends DurableObject {
  private runs: { isRetry: boolean; retryCount: number }[] = [];

  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname.endsWith("/start")) {
      await this.ctx.storage.put("failures", Number(url.searchParams.get("failures")));
      await this.ctx.storage.setAlarm(Date.now() + 10);
      return new Response("started");
    }
    return Response.json({ runs: this.runs, done: (await this.ctx.storage.get("done")) ?? null });
  }

  async alarm(info: { isRetry: boolean; retryCount: number }): Promise<void> {
    this.runs.push({ isRetry: info.isRetry, retryCount: info.retryCount });
    const failures = (await this.ctx.storage.get<number>("failures"))!;
    await this.ctx.storage.put("done", `run ${info.retryCount}`);
    if (info.retryCount < failures) throw new Error("not yet");
  }
}
