import { z } from "zod";
import { errors } from "../../../kernel/errors.ts";
import { type AnyOperation, platformOperation, type ToolInfo } from "../../../kernel/operation.ts";

interface Node {
  label: string;
  children?: Node[] | undefined;
}

const node: z.ZodType<Node> = z.object({
  label: z.string(),
  get children() {
    return z.array(node).optional();
  },
});

const common = { right: "develop", idempotent: true } as const;

/** A small set of operations with every kind of MCP form. `aborted` is told when a slow call is given up. */
export function sampleOperations(aborted: () => void): AnyOperation[] {
  return [
    platformOperation({
      ...common,
      name: "echo.say",
      title: "Say",
      summary: "Says a text back.",
      input: z.object({ text: z.string().max(2000).describe("What to say"), action: z.string().optional() }),
      output: z.object({ text: z.string(), at: z.date() }),
      risk: "read",
      mcp: { tool: "echo", present: (output: { text: string }) => output.text },
      run: async (_call, { text }) => ({ text, at: new Date(0) }),
    }),
    platformOperation({
      ...common,
      name: "things.configure",
      title: "Configure things",
      summary: "Turns things on.",
      input: z.object({
        app_id: z.string(),
        tables: z.array(z.string()).describe("Tables"),
        mode: z.enum(["a", "b"]).default("a"),
      }),
      output: z.looseObject({ configured: z.array(z.string()) }),
      risk: "write",
      secretFields: ["mode"],
      mcp: { tool: "manage_things", action: "configure", aliases: ["configure_things"] },
      run: async (_call, { tables }) => ({
        configured: tables,
        _meta: {
          next_actions: [{ action: "look", description: "Look at it", tool: "manage_things", when: "now" }],
        },
      }),
    }),
    platformOperation({
      ...common,
      name: "things.get",
      title: "Get things",
      summary: "Shows things.",
      input: z.object({
        app_id: z.string(),
        tableName: z.string().optional(),
        mode: z.enum(["b", "c"]).optional(),
      }),
      output: z.object({ tree: node }),
      risk: "read",
      mcp: {
        tool: "manage_things",
        action: "get",
        rename: { table_name: "tableName" },
        aliases: ["get_things"],
      },
      run: async (_call, { tableName }) => ({
        tree: { label: tableName ?? "root", children: [{ label: "leaf" }] },
      }),
    }),
    platformOperation({
      ...common,
      name: "things.delete",
      title: "Delete things",
      summary: "Deletes things.",
      input: z.object({ app_id: z.string(), mode: z.string().optional() }),
      output: z.object({ message: z.string() }),
      risk: "destructive",
      idempotent: false,
      personOnly: true,
      mcp: { tool: "manage_things", action: "delete" },
      run: async () => ({ message: "gone" }),
    }),
    platformOperation({
      ...common,
      name: "failing.run",
      title: "Fail",
      summary: "Fails as asked.",
      input: z.object({ how: z.enum(["known", "unknown", "slow"]) }),
      output: z.object({}),
      risk: "execute",
      mcp: { tool: "fail" },
      async run(call, { how }) {
        if (how === "known")
          throw errors.RESOURCE_ALREADY_EXISTS({ message: "Taken.", details: { name: "x" } });
        if (how === "unknown") throw new Error("secret inside");
        await new Promise((resolve) => call.signal.addEventListener("abort", resolve, { once: true }));
        aborted();
        return {};
      },
    }),
  ];
}

export const sampleTools: ToolInfo[] = [
  { name: "manage_things", title: "Manage Things", description: "Everything about things." },
  { name: "manage_things", title: "Second", description: "Not this one." },
  { name: "get_things", title: "Get Things", description: "Shows things, by an older name." },
];
