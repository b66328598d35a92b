import { DurableObject, RpcTarget } from "cloudflare:workers";

class Account extends RpcTarget {
  #owner: string;
  #amount: number;
  constructor(owner: string, amount: number) {
    super();
    this.#owner = owner;
    this.#amount = amount;
  }
  balance(): string {
    return `${this.#owner} has ${this.#amount}`;
  }
}

/** Called by another class. */
export class RpcLedger extends DurableObject {
  private counter = 0;
  hidden = undefined;

  async move(from: string, to: string, amount: number): Promise<Record<string, number>> {
    const { storage } = this.ctx;
    const balances = (await storage.get<Record<string, number>>("balances")) ?? { ada: 100, ben: 0 };
    if ((balances[from] ?? 0) < amount) throw new RangeError(`${from} can't pay ${amount}`);
    balances[from]! -= amount;
    balances[to] = (balances[to] ?? 0) + amount;
    await storage.put("balances", balances);
    return balances;
  }

  async account(owner: string): Promise<Account> {
    return new Account(owner, 42);
  }

  whoami(): string | undefined {
    return this.ctx.id.name;
  }

  echo<T>(value: T): T {
    return value;
  }

  async withCallback(callback: (n: number) => Promise<number>): Promise<number> {
    return (await callback(20)) + 1;
  }

  stream(): ReadableStream {
    return new Blob(["streamed over rpc"]).stream();
  }

  async next(): Promise<number> {
    this.counter += 1;
    const value = this.counter;
    await this.ctx.storage.put("counter", value);
    return value;
  }

  async fetch(request: Request): Promise<Response> {
    if (request.headers.get("upgrade") === "websocket") {
      const { 0: client, 1: server } = new WebSocketPair();
      this.ctx.acceptWebSocket(server);
      server.send(`in ${this.ctx.id.name}`);
      return new Response(null, { status: 101, webSocket: client });
    }
    return new Response(`${request.method} ${request.url} ${await request.text()}`, { status: 207 });
  }

  webSocketClose(socket: WebSocket, code: number): void {
    socket.close(code, "ledger closed");
  }

  webSocketMessage(socket: WebSocket, message: string): void {
    socket.send(`ledger heard ${message}`);
  }
}
