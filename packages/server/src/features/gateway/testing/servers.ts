import type { ToolDefinition } from "@ambit/policy";
import type { Platform } from "../../../engines/platform.ts";
import { errors } from "../../../kernel/errors.ts";
import { newUuid } from "../../../kernel/ids.ts";
import type { GatewayServer, GatewayServersService, ToolState } from "../../gateway-servers/service.ts";

/** Servers as rows of the real table, whose tools a test sets. */
export interface TestServers extends GatewayServersService {
  /** What a tool is from now on; null: the server can't be looked at. Not known from memory when `warm` is false. */
  setTool(tool: string, state: ToolState | null, warm?: boolean): void;
  /** What the servers list. */
  lists(tools: readonly ToolDefinition[]): void;
  /** Looks that were made. */
  readonly looks: string[];
}

interface Row {
  readonly id: string;
  readonly organization_id: string;
  readonly name: string;
  readonly transport: GatewayServer["transport"];
  readonly capture_values: boolean;
}

export function testServers({ database }: Platform): TestServers {
  const tools = new Map<string, { state: ToolState | null; warm: boolean }>();
  let listed: readonly ToolDefinition[] = [];
  const looks: string[] = [];
  const find = async (id: string): Promise<GatewayServer | null> => {
    const [row] = await database.query<Row>(
      "select id, organization_id, name, transport, capture_values from ambit.gateway_servers where id = $1",
      [id],
    );
    if (row === undefined) return null;
    const { organization_id: organizationId, capture_values: capturesValues, ...rest } = row;
    const face = rest.transport !== "builtin" ? null : rest.name === "ambit-verbs" ? "verbs" : "merged";
    return { ...rest, face, organizationId, capturesValues };
  };
  const servers: TestServers = {
    looks,
    setTool: (tool, state, warm = true) => void tools.set(tool, { state, warm }),
    lists(all) {
      listed = all;
    },
    find,
    urlOf: async () => null,
    async builtin(organizationId, face = "merged") {
      const [row] = await database.query<Row>(
        `insert into ambit.gateway_servers (id, organization_id, name, transport, created_at, updated_at)
         values ($1, $2, $3, 'builtin', now(), now())
         on conflict (organization_id, name) do update set updated_at = now() returning id`,
        [newUuid(), organizationId, face === "verbs" ? "ambit-verbs" : "ambit"],
      );
      return (await find(row!.id))!;
    },
    async named(organizationId, reference) {
      const server = reference === "ambit" ? await servers.builtin(organizationId) : await find(reference);
      if (server?.organizationId !== organizationId) throw errors.RESOURCE_NOT_FOUND();
      return server;
    },
    upstream: async () => {
      throw new Error("nothing is sent anywhere here");
    },
    async toolState(_server, tool) {
      looks.push(tool);
      const { state } = tools.get(tool) ?? { state: "approved" };
      if (state === null) throw new Error("the server is down");
      return state;
    },
    peekToolState(_server, tool) {
      const known = tools.get(tool);
      if (known === undefined) return "approved";
      return known.warm ? (known.state ?? undefined) : undefined;
    },
    async observe(_server, seen) {
      return new Set(seen.map(({ name }) => name).filter((name) => tools.get(name)?.state === "changed"));
    },
    tools: async () => listed,
    onChanged: () => {},
    onDeleted: () => {},
  };
  return servers;
}
