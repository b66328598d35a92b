import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { PolicyDocument } from "@ambit/policy";
import { type Print, timed } from "./agent.ts";
import type { MemberApi } from "./member.ts";

/** A tool as the catalogue sees it. */
interface ScannedTool {
  readonly name: string;
  readonly class: string;
  readonly risk: string;
}

/** What a look at a server's tools answers. */
export interface Scan {
  readonly tools: readonly ScannedTool[];
  readonly suggested_policy: PolicyDocument;
}

interface Call {
  readonly tool: string;
  readonly args: Record<string, unknown>;
  /** For the transcript. */
  readonly shown: string;
}

/** A server behind the gateway, and what the agent does with its tools. */
export interface Scene {
  readonly serverId: string;
  readonly scan: Scan;
  /** A tool the person hides. */
  readonly hidden: string;
  /** The argument that says where something is written, and the one condition on it. */
  readonly writesOnly: { readonly path: string; readonly op: "eq" | "regex"; readonly value: string };
  /** Three calls of one tool, of which two are as many as there may be. */
  readonly writes: readonly [Call, Call, Call];
  /** The same tool where it must not write. */
  readonly elsewhere: Call;
  /** What a person is asked about. */
  readonly asks: Call;
  /** Shows that it was done: the answer of this call has that text in it. */
  readonly proof: Call & { readonly holds: string };
  /** Takes away what was made for the scene. */
  end(): Promise<void>;
}

/** The one program the demo lets Ambit start: a file server from npm, which `npm ci` brings along. */
export const FILE_SERVER = fileURLToPath(
  new URL("../../node_modules/.bin/mcp-server-filesystem", import.meta.url),
);

/** The file server behind the gateway where the host can start it; else Ambit's own tools, which are there already. */
export async function setScene(person: MemberApi, appId: string, print: Print): Promise<Scene> {
  const files = existsSync(FILE_SERVER) ? await fileServer(person, appId, print) : null;
  return files ?? ownTools(person, appId, print);
}

async function fileServer(person: MemberApi, appId: string, print: Print): Promise<Scene | null> {
  const registration = { name: `files of ${appId}`, transport: "stdio", command: FILE_SERVER, args: ["."] };
  const { server_id } = await timed(print, "a person", "puts a file server from npm behind the gateway", () =>
    person<{ server_id: string }>("POST", "/v1/gateway/servers", registration),
  );
  const end = async () => void (await person("DELETE", `/v1/gateway/servers/${server_id}`));
  const seen = "looks at its tools: what is there at the first look is approved";
  const scan = await look(person, server_id, seen, print).catch(() => null);
  if (scan === null) {
    print("   It can't be started on this host; Ambit's own tools are behind the gateway too.");
    await end();
    return null;
  }
  const write = (path: string, content: string) => ({
    ...{ tool: "write_file", args: { path, content }, shown: path },
  });
  return {
    ...{ serverId: server_id, scan, end, hidden: "edit_file" },
    writesOnly: { path: "args.path", op: "regex", value: "^[a-z]+\\.md$" },
    writes: [write("plan.md", "Paper, weekly"), write("list.md", "Ink"), write("more.md", "Pens")],
    elsewhere: write("../.ssh/authorized_keys", "ssh-ed25519 …"),
    asks: {
      ...{ tool: "move_file", args: { source: "plan.md", destination: "final.md" } },
      shown: "plan.md to final.md",
    },
    proof: {
      ...{ tool: "read_text_file", args: { path: "final.md" }, shown: "final.md" },
      holds: "Paper, weekly",
    },
  };
}

async function ownTools(person: MemberApi, appId: string, print: Print): Promise<Scene> {
  const scan = await look(person, "ambit", "looks at Ambit's own tools", print);
  const table = { app_id: appId, table: "notes" };
  const write = (title: string, where = "notes") => ({
    ...{ tool: "insert_row", args: { ...table, table: where, data: { title, owner_id: "demo" } } },
    shown: `${where}: ${title}`,
  });
  return {
    ...{ serverId: "ambit", scan, hidden: "update_rows", end: async () => {} },
    writesOnly: { path: "args.table", op: "eq", value: "notes" },
    writes: [write("Plan"), write("List"), write("More")],
    elsewhere: write("Me", "admins"),
    asks: {
      ...{ tool: "delete_rows", args: { ...table, filters: { title: "eq.Plan" } }, shown: "notes: Plan" },
    },
    proof: {
      ...{ tool: "select_rows", args: { ...table, filters: { title: "eq.Plan" } }, shown: "notes: Plan" },
      holds: "[]",
    },
  };
}

const look = (person: MemberApi, serverId: string, shown: string, print: Print): Promise<Scan> =>
  timed(print, "a person", shown, () => person<Scan>("POST", `/v1/gateway/servers/${serverId}/scan`, {}));
