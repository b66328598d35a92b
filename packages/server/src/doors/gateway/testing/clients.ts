import { Client, type ClientOptions, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as OlderTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { VERSION } from "./requests.ts";
import { TOKEN } from "./stand.ts";

const requestInit = { headers: { authorization: `Bearer ${TOKEN}` } };
const INFO = { name: "test", version: "1" };

/** The official client of today, in one of its ways to settle on a revision. */
export async function newer(
  url: string,
  mode: "legacy" | "pinned" | "auto",
  options: ClientOptions = {},
  prepare: (client: Client) => void = () => {},
) {
  const negotiation = mode === "pinned" ? { pin: VERSION } : mode;
  const client = new Client(INFO, { ...options, versionNegotiation: { mode: negotiation } });
  prepare(client);
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit });
  await client.connect(transport);
  return { client, transport };
}

/** The official client of the older line. */
export async function older(
  url: string,
  options: ConstructorParameters<typeof OlderClient>[1] = {},
  prepare: (client: OlderClient) => void = () => {},
) {
  const client = new OlderClient(INFO, options);
  prepare(client);
  const transport = new OlderTransport(new URL(url), { requestInit });
  // The SDK's own types disagree with each other under exactOptionalPropertyTypes.
  await client.connect(transport as unknown as Parameters<typeof client.connect>[0]);
  return { client, transport };
}

/** What tests do with any client. */
export interface AnyClient {
  names(): Promise<string[]>;
  call(name: string, args: Record<string, unknown>, onprogress?: () => void): Promise<Called>;
  close(): Promise<void>;
}

export interface Called {
  readonly text: string;
  readonly isError: boolean;
  readonly decision: Record<string, unknown> | undefined;
}

const calledOf = (result: unknown): Called => {
  const { content, isError, _meta } = result as {
    content: { text: string }[];
    isError?: boolean;
    _meta?: Record<string, Record<string, unknown>>;
  };
  return {
    text: content[0]?.text ?? "",
    isError: isError === true,
    decision: _meta?.["ambit/decision"],
  };
};

/** Every way a client may connect. */
export const CLIENTS: Readonly<Record<string, (url: string) => Promise<AnyClient>>> = {
  "the older client": async (url) => {
    const { client } = await older(url);
    return {
      names: async () => (await client.listTools()).tools.map(({ name }) => name),
      call: async (name, args, onprogress) =>
        calledOf(
          await client.callTool({ name, arguments: args }, undefined, onprogress ? { onprogress } : {}),
        ),
      close: () => client.close(),
    };
  },
  "today's client with a session": (url) => asAny(newer(url, "legacy")),
  "today's client without": (url) => asAny(newer(url, "pinned")),
  "today's client, finding out": (url) => asAny(newer(url, "auto")),
};

async function asAny(connecting: ReturnType<typeof newer>): Promise<AnyClient> {
  const { client } = await connecting;
  return {
    names: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args, onprogress) =>
      calledOf(await client.callTool({ name, arguments: args }, onprogress ? { onprogress } : {})),
    close: () => client.close(),
  };
}
