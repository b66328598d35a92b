import { DurableObject } from "cloudflare:workers";

/** Calls another class by its methods. */
export class RpcBank extends DurableObject<{ RPC_LEDGER: any; RPC_BANK: any }> {
  async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const ledger = this.env.RPC_LEDGER.getByName("main");
    const verb = url.pathname.split("/").at(-1);
    if (verb === "socket") return this.env.RPC_LEDGER.getByName("sockets").fetch(request);
    if (verb === "pay") {
      const { from, to, amount } = (await request.json()) as Record<string, any>;
      try {
        return Response.json(await ledger.move(from, to, amount));
      } catch (error) {
        return Response.json(
          { error: (error as Error).message, name: (error as Error).name },
          { status: 409 },
        );
      }
    }
    if (verb === "types") {
      const echoed = await ledger.echo({
        at: new Date(9),
        map: new Map([["k", 1n]]),
        bytes: new Uint8Array([1, 2]),
      });
      return Response.json({
        at: echoed.at.getTime(),
        big: String(echoed.map.get("k")),
        bytes: [...echoed.bytes],
        name: await ledger.whoami(),
        callback: await ledger.withCallback((n: number) => n * 2),
        stream: await new Response(await ledger.stream()).text(),
        missing: await ledger.nothing().catch((error: Error) => error.name),
        hidden: await ledger.hidden().catch((error: Error) => error.name),
        pipelined: await ledger.account("ada").balance(),
      });
    }
    if (verb === "parallel") {
      const results = await Promise.all(Array.from({ length: 30 }, () => ledger.next()));
      return Response.json({ most: Math.max(...results), different: new Set(results).size });
    }
    const answer = await ledger.fetch("http://ledger/rest?x=1", { method: "PUT", body: "through fetch" });
    return new Response(answer.body, answer);
  }
}
