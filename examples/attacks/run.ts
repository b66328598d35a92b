import { chmodSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startAmbit } from "../../packages/server/src/ambit.ts";
import { readConfig } from "../../packages/server/src/kernel/config.ts";
import { ATTACKS } from "./attacks.ts";
import { COMMAND, type Played, play, type Theatre, USER_ENVIRONMENT } from "./support/play.ts";
import { Stage } from "./support/stage.ts";
import { tableOf } from "./support/table.ts";

/**
 * `npm run attacks [-- <name> …] [--json]`: starts Ambit on a directory of its own and plays attacks on it, each without its
 * protection and with it. Ends with code 1 when one did not do harm without, or did with.
 */
const AT_ONCE = 4;

const asJson = process.argv.includes("--json");
const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const unknown = names.filter((name) => !ATTACKS.some((attack) => attack.name === name));
if (unknown.length > 0) {
  const known = ATTACKS.map(({ name }) => name).join(", ");
  process.stderr.write(`There is no attack ${unknown.join(", ")}. There are: ${known}\n`);
  process.exit(2);
}

const dataDir = mkdtempSync(join(tmpdir(), "ambit-attacks-"));
// The database may run as another account.
chmodSync(dataDir, 0o755);
Object.assign(process.env, USER_ENVIRONMENT);
const stage = await Stage.open();
const ambit = await startAmbit(
  readConfig({
    PATH: process.env.PATH,
    AMBIT_PORT: "0",
    AMBIT_DATA_DIR: dataDir,
    AMBIT_LOG_LEVEL: "silent",
    AMBIT_ALLOW_PRIVATE_FETCH: stage.host,
    AMBIT_STDIO_ALLOW: COMMAND,
  }),
);
let all: readonly Played[];
try {
  const { apiUrl, mcpUrl, credentials } = ambit;
  const access = { apiUrl, mcpUrl, apiKey: credentials.api_key!, agentKey: credentials.agent_key! };
  all = await playAll({ stage, ambit: access });
} finally {
  await ambit.stop();
  await stage.close();
  await rm(dataDir, { recursive: true, force: true });
}
process.stdout.write(asJson ? `${JSON.stringify(all, null, 2)}\n` : tableOf(all));
process.exit(all.every(({ problems }) => problems.length === 0) ? 0 : 1);

async function playAll(theatre: Theatre): Promise<readonly Played[]> {
  const chosen = ATTACKS.filter(({ name }) => names.length === 0 || names.includes(name));
  const played: Played[] = [];
  let next = 0;
  const player = async () => {
    for (let at = next++; at < chosen.length; at = next++) played[at] = await play(theatre, chosen[at]!);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, player));
  return played;
}
