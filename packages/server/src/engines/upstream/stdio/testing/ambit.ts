/** A process that runs a program for itself, to be killed: `ambit.ts <data dir> <server id> <program> …`. */
import { createLog } from "../../../../kernel/log.ts";
import { asked, call, stateless } from "../../channel/testing/exchange.ts";
import { createStdioUpstream } from "../index.ts";

const [dataDir = "", serverId = "", command = "", ...args] = process.argv.slice(2);
const target = { transport: "stdio" as const, command, args, env: {} };
const upstream = createStdioUpstream(target, { serverId, dataDir, log: createLog("silent") });

async function value(name: string, given = {}): Promise<unknown> {
  const seen = await asked(upstream, stateless(call(name, given)), { era: "stateless" });
  return seen.messages.at(-1).result.value;
}

const pids = [await value("pid"), await value("child", { detached: false })];
// From here on the end of its input means nothing to it.
await value("stubborn");
process.stdout.write(`${JSON.stringify(pids)}\n`);
setInterval(() => {}, 1000);
