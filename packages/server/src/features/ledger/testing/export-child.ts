/** Writes an organisation's export to standard output: `node export-child.ts <JSON>`. */
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { Database, type Target } from "../../../engines/postgres/database.ts";
import { systemClock } from "../../../kernel/clock.ts";
import { readConfig } from "../../../kernel/config.ts";
import { createLog } from "../../../kernel/log.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { Secrets } from "../../../kernel/secrets.ts";
import { ledgerNode } from "./stand.ts";

const { target, master, organizationId } = JSON.parse(process.argv[2]!) as {
  target: Target;
  master: string;
  organizationId: string;
};
const log = createLog("silent");
const database = new Database(target, () => "", log);
const { ledger } = ledgerNode({
  config: readConfig({}),
  log,
  clock: systemClock,
  metrics: new Metrics(),
  secrets: new Secrets(Buffer.from(master, "base64")),
  database,
  publicUrl: () => "",
});
await pipeline(Readable.from(await ledger.export(organizationId, Date.now())), process.stdout);
await database.close();
