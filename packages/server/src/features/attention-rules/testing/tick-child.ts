/** A process that fires rules until it is killed: `node tick-child.ts <JSON of what it needs>`. */
import { Database, type Target } from "../../../engines/postgres/database.ts";
import { readConfig } from "../../../kernel/config.ts";
import { createLog } from "../../../kernel/log.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { Secrets } from "../../../kernel/secrets.ts";
import { createAppsService } from "../../apps/service.ts";
import { ruleNode } from "./stand.ts";

const { target, master, nowMs } = JSON.parse(process.argv[2]!) as {
  target: Target;
  master: string;
  nowMs: number;
};
const log = createLog("silent");
const platform = {
  config: readConfig({}),
  log,
  clock: () => nowMs,
  metrics: new Metrics(),
  secrets: new Secrets(Buffer.from(master, "base64")),
  database: new Database(target, () => "", log),
  publicUrl: () => "",
};
await ruleNode(platform, createAppsService(platform)).rules.tick();
process.exit(0);
