import { DurableObject } from "cloudflare:workers";

/** A failing alarm harms nobody: requests are answered, and a new alarm replaces the one that is to be tried again. */
export class AlarmError extends DurableObject {
  private tries = 0;

  async fetch(request: Request): Promise<Response> {
    const mode = new URL(request.url).searchParams.get("mode");
    if (mode !== null) {
      await this.ctx.storage.put("mode", mode);
      await this.ctx.storage.setAlarm(Date.now());
    }
    return Response.json({ failed: this.tries > 0, worked: (await this.ctx.storage.get("worked")) ?? false });
  }

  async alarm(): Promise<void> {
    this.tries += 1;
    if ((await this.ctx.storage.get("mode")) === "fail") throw new Error("the alarm fails");
    await this.ctx.storage.put("worked", true);
  }
}
