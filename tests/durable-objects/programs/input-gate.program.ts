import { DurableObject } from "cloudflare:workers";

/** While storage is being read or written no other request gets in between. */
export class InputGate extends DurableObject {
  private readonly log: string[] = [];

  async fetch(request: Request): Promise<Response> {
    const who = new URL(request.url).searchParams.get("who");
    if (who === null) return Response.json(this.log);
    this.log.push(`${who} in`);
    for (let n = 0; n < 20; n++) {
      await this.ctx.storage.put(`${who}${n}`, (await this.ctx.storage.get<number>(`${who}${n}`)) ?? n);
    }
    this.log.push(`${who} out`);
    return new Response(who);
  }
}
