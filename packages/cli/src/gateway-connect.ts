import { createInterface } from "node:readline/promises";
import { callApi } from "./api.ts";
import { command } from "./command.ts";
import { type Connection, findConnection } from "./connection.ts";
import { connectionArgs, json } from "./flags.ts";
import { findServer } from "./gateway-find.ts";
import { print, printJson, tell, visible } from "./output.ts";
import { Problem } from "./problem.ts";

const NO_CODE = "There was no code. With one: ambit gateway connect <server> --code <code>";

interface Begun {
  readonly connected: boolean;
  readonly authorization_url: string | null;
  readonly expires_at: string | null;
}
interface Connected {
  readonly connected: boolean;
  readonly issuer: string | null;
  readonly expires_at: string | null;
}

/** `ambit gateway connect`: consent to use a server with OAuth. */
export const connect = command({
  name: "connect",
  description: "Give the gateway a token for a server with OAuth (--person)",
  usage: "ambit gateway connect <server> [--scope <scopes>] [--client-id <id>] [--client-credentials]",
  args: {
    server: { type: "positional", description: "Id or name of the server", required: true },
    scope: { type: "string", description: "Scopes to ask for, separated by spaces" },
    "client-id": {
      type: "string",
      description: "Only where the authorization server registers no clients itself",
    },
    "client-secret": { type: "string", description: "The client's secret (AMBIT_CLIENT_SECRET)" },
    "client-credentials": {
      type: "boolean",
      description: "For a machine: no browser, the client's own credentials",
    },
    code: { type: "string", description: "Finish what was begun, with the code that the browser showed" },
    ...connectionArgs,
    json,
  },
  async run({ args }) {
    const connection = findConnection(args, process.env);
    const path = `/v1/gateway/servers/${await findServer(connection, args.server)}/oauth`;
    if (args.code === undefined) {
      const begun = await callApi<Begun>(connection, "POST", `${path}/connect`, {
        ...{ grant_type: args["client-credentials"] ? "client_credentials" : "authorization_code" },
        ...{ client_id: args["client-id"], scope: args.scope },
        client_secret: args["client-secret"] ?? (process.env.AMBIT_CLIENT_SECRET || undefined),
      });
      if (!begun.connected) await finish(connection, path, await codeAfter(begun));
    } else await finish(connection, path, args.code);
    const now = await callApi<Connected>(connection, "GET", path);
    if (args.json) return void printJson(now);
    const until = now.expires_at === null ? "" : `, until ${now.expires_at} and renewed before`;
    print(visible(`connected${now.issuer === null ? "" : ` with ${now.issuer}`}${until}`));
  },
});

const finish = (connection: Connection, path: string, confirmation: string) =>
  callApi<Connected>(connection, "POST", `${path}/finish`, { confirmation });

/** What the browser shows at the end, typed in. Throws Problem when standard input ends without it. */
async function codeAfter({ authorization_url, expires_at }: Begun): Promise<string> {
  tell(visible(`Open this in a browser and agree${expires_at === null ? "" : ` (until ${expires_at})`}:`));
  tell(visible(authorization_url ?? ""));
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const ended = new Promise<never>((_, reject) =>
      lines.once("close", () => {
        tell("");
        reject(new Problem(NO_CODE));
      }),
    );
    const code = (await Promise.race([lines.question("The code it shows then: "), ended])).trim();
    if (code === "")
      throw new Problem("There was no code. With one: ambit gateway connect <server> --code <code>");
    return code;
  } finally {
    lines.removeAllListeners("close");
    lines.close();
  }
}
