import { defineCommand, runMain } from "citty";
import { call, mcp, status, tools } from "./commands.ts";
import { ledger } from "./ledger.ts";
import { VERSION } from "./server.ts";

await runMain(
  defineCommand({
    meta: { name: "ambit", version: VERSION, description: "The command line of Ambit" },
    subCommands: { mcp, status, tools, call, ledger },
  }),
);
