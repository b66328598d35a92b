import { DurableObject } from "cloudflare:workers";

/** Has no `alarm()`: setting one is refused. */
export class NoAlarm extends DurableObject {
  async fetch(): Promise<Response> {
    try {
      await this.ctx.storage.setAlarm(Date.now() + 1_000);
      return new Response("accepted");
    } catch (error) {
      return new Response((error as Error).message);
    }
  }
}
