import { DurableObject } from "cloudflare:workers";

/** An alarm that is due while the process is gone rings when it is back. */
export class AlarmClock extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const inMs = new URL(request.url).searchParams.get("in");
    if (inMs !== null) {
      await this.ctx.storage.setAlarm(Date.now() + Number(inMs));
      return new Response("set");
    }
    return Response.json({
      rang: (await this.ctx.storage.get("rang")) ?? 0,
      pending: (await this.ctx.storage.getAlarm()) !== null,
    });
  }

  async alarm(): Promise<void> {
    await this.ctx.storage.put("rang", ((await this.ctx.storage.get<number>("rang")) ?? 0) + 1);
  }
}
