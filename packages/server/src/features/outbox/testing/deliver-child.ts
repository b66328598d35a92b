/** A process that delivers until it is killed: `node deliver-child.ts <JSON of what it needs>`. */
import { Database, type Target } from "../../../engines/postgres/database.ts";
import { systemClock } from "../../../kernel/clock.ts";
import { readConfig } from "../../../kernel/config.ts";
import { createLog } from "../../../kernel/log.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { Secrets } from "../../../kernel/secrets.ts";
import { outboxNode } from "./stand.ts";

const { target, master, port } = JSON.parse(process.argv[2]!) as {
  target: Target;
  master: string;
  port: number;
};
const log = createLog("silent");
const { service } = outboxNode(
  {
    config: readConfig({}),
    log,
    clock: systemClock,
    metrics: new Metrics(),
    secrets: new Secrets(Buffer.from(master, "base64")),
    database: new Database(target, () => "", log),
    publicUrl: () => "",
  },
  [port],
);
await service.start();
// The ticker alone keeps no process up.
setTimeout(() => process.exit(1), 60_000);
