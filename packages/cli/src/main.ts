import { defineCommand, runMain } from "citty";
import { call, mcp, status, tools } from "./commands.ts";
import { VERSION } from "./server.ts";

/** Groups are read when they are asked for: the bridge, which clients start all the time, needs none of them. */
const groups = {
  policy: async () => (await import("./policy.ts")).policy,
  gateway: async () => (await import("./gateway.ts")).gateway,
  approvals: async () => (await import("./approvals.ts")).approvals,
  ledger: async () => (await import("./ledger.ts")).ledger,
};

/** What stands after `--` belongs to another program: its `-h` asks for none of our help. */
const args = process.argv.slice(2);
const end = args.indexOf("--");

await runMain(
  defineCommand({
    meta: { name: "ambit", version: VERSION, description: "The command line of Ambit" },
    subCommands: { mcp, status, tools, call, ...groups },
  }),
  { rawArgs: end === -1 ? args : args.slice(0, end + 1) },
);
