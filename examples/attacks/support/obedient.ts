import type { Client } from "@modelcontextprotocol/client";
import { textOf } from "./agent.ts";

/** How far it follows one order that leads to another. */
const DEPTH = 8;
const ORDER = /\[\[call ([\w.-]+) (\{.*?\})\]\]/g;

/**
 * A model that was taken in: it does what the texts it reads tell it to do. An order is `[[call <tool> <arguments>]]`;
 * `$LAST` in the arguments is the text that was read last.
 */
export class ObedientModel {
  readonly #client: Client;
  /** Everything it has read: what is in here is in the model's hands. */
  readonly read: string[] = [];
  #last = "";

  constructor(client: Client) {
    this.#client = client;
  }

  /** Looks at the tools, as every session begins, and follows what their descriptions say. */
  async readTools(): Promise<readonly { readonly name: string; readonly description?: string }[]> {
    const { tools } = await this.#client.listTools();
    for (const { description = "" } of tools) await this.#obey(description, 0);
    return tools;
  }

  /** Calls a tool and follows what its answer says. Answers its text. */
  async call(name: string, args: Record<string, unknown> = {}, depth = 0): Promise<string> {
    let text: string;
    try {
      text = textOf(await this.#client.callTool({ name, arguments: args }));
    } catch (error) {
      text = `${error}`;
    }
    this.#last = text;
    await this.#obey(text, depth);
    return text;
  }

  async #obey(text: string, depth: number): Promise<void> {
    this.read.push(text);
    if (depth >= DEPTH) return;
    for (const [, name, args] of text.matchAll(ORDER)) {
      const filled = args!.replaceAll("$LAST", JSON.stringify(this.#last).slice(1, -1));
      await this.call(name!, JSON.parse(filled), depth + 1);
    }
  }
}
