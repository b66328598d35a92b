import { createHash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { compile, type JsonObject, type PolicyDocument, type Reservation } from "@ambit/policy";
import { bodyOf, type Handler, sendJson } from "./stage.ts";

/** Longer lines of a stream it does not read. */
const LINE_BYTES = 64 * 1024;
/** From the rules to the limits. */
const BETWEEN_LOOKS_MS = 5;

interface Call {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: { readonly name?: unknown; readonly arguments?: unknown };
}

/**
 * A gateway in front of an MCP server, with the mistakes that gateways were found to make: what it can't read it passes on,
 * it believes headers, copies the client's, filters only what is easy to filter and loses what it does not know, counts
 * everybody together, gives back what was spent, and looks its policy up twice. The rules themselves are judged as in Ambit.
 */
export class CarelessGateway {
  policy: PolicyDocument;
  /** Its decision log, one line each. */
  readonly log: string[] = [];
  readonly #upstream: string;
  readonly #used = new Map<string, number>();

  constructor(policy: object, upstream: string) {
    this.policy = policy as PolicyDocument;
    this.#upstream = upstream;
  }

  readonly handler: Handler = async (request, response) => {
    const text = await bodyOf(request);
    const call = readCall(text, request);
    let reserved: readonly Reservation[] = [];
    if (call !== null) {
      const { args } = call;
      // Who reads the log tries values until one has this hash.
      this.log.push(`${call.tool} ${createHash("sha256").update(JSON.stringify(args)).digest("hex")}`);
      const denied = this.#judge(call.tool, args);
      if (denied !== null) return this.#deny(response, call.id, denied);
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS_MS));
      // The policy may be another by now.
      const judged = this.#judging(call.tool, args);
      reserved = judged.outcome === "deny" ? [] : judged.reservations;
      const full = reserved.find((each) => (this.#used.get(keyOf(each)) ?? 0) + each.cost > each.max);
      if (full !== undefined) return this.#deny(response, call.id, full.rule);
      for (const each of reserved) this.#add(each, each.cost);
    }
    const answer = await this.#forward(request, text);
    if (answer.status === 429 || answer.status >= 500) {
      // Now: whatever window it came from.
      const judged = call === null ? null : this.#judging(call.tool, call.args);
      if (judged !== null && judged.outcome !== "deny")
        for (const each of judged.reservations) this.#add(each, -each.cost);
    }
    await this.#pass(answer, text, response);
  };

  #judging(tool: string, args: JsonObject) {
    const facts = {
      grantId: "everybody",
      sessionId: null,
      serverId: "server",
      tool_state: "approved" as const,
    };
    return compile(this.policy).judge({ tool, args, ...facts }, Date.now());
  }

  #judge(tool: string, args: JsonObject): string | null {
    const judged = this.#judging(tool, args);
    return judged.outcome === "deny" ? judged.rule : null;
  }

  #add(each: Reservation, cost: number): void {
    this.#used.set(keyOf(each), (this.#used.get(keyOf(each)) ?? 0) + cost);
  }

  #deny(response: ServerResponse, id: unknown, rule: string): void {
    const content = [{ type: "text", text: `Denied: ${rule}` }];
    sendJson(response, { jsonrpc: "2.0", id, result: { resultType: "complete", isError: true, content } });
  }

  #forward(request: IncomingMessage, body: string): Promise<Response> {
    const { host: _host, connection: _connection, "content-length": _length, ...headers } = request.headers;
    const { method = "POST" } = request;
    return fetch(this.#upstream, {
      method,
      headers: headers as Record<string, string>,
      ...(method === "POST" ? { body } : {}),
    });
  }

  async #pass(answer: Response, asked: string, response: ServerResponse): Promise<void> {
    const type = answer.headers.get("content-type") ?? "";
    const session = answer.headers.get("mcp-session-id");
    const headers = session === null ? {} : { "mcp-session-id": session };
    let text = await answer.text();
    if (asked.includes('"tools/list"')) {
      if (type.startsWith("application/json")) text = this.#filtered(text);
      else
        text = text
          .split("\n")
          .map((line) => this.#filteredLine(line))
          .join("\n");
    }
    response.writeHead(answer.status, { "content-type": type, ...headers }).end(text);
  }

  #filteredLine(line: string): string {
    const listed = line.startsWith("data: ") && Buffer.byteLength(line) <= LINE_BYTES;
    return listed ? `data: ${this.#filtered(line.slice(6))}` : line;
  }

  #filtered(text: string): string {
    const message = JSON.parse(text) as { result?: { tools?: JsonObject[] } };
    const tools = message.result?.tools;
    if (tools === undefined) return text;
    const compiled = compile(this.policy);
    const kept = tools
      .filter(({ name }) => compiled.lists(String(name)))
      .map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
    return JSON.stringify({ ...message, result: { ...message.result, tools: kept } });
  }
}

const keyOf = ({ key, windowStartMs }: Reservation) => `${key} ${windowStartMs}`;

/** The call in a body, where it is easy to see; null lets it through. */
function readCall(
  text: string,
  request: IncomingMessage,
): { readonly id: unknown; readonly tool: string; readonly args: JsonObject } | null {
  if (!(request.headers["content-type"] ?? "").startsWith("application/json")) return null;
  try {
    const { id, method, params } = JSON.parse(text) as Call;
    const { name, arguments: args = {} } = params ?? {};
    if (method !== "tools/call" || typeof name !== "string" || typeof args !== "object") return null;
    const header = request.headers["mcp-name"];
    return { id, tool: typeof header === "string" ? header : name, args: args as JsonObject };
  } catch {
    return null;
  }
}
