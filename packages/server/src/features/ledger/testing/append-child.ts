/** A node that writes to the ledger until it is killed, and says what was acknowledged: `node append-child.ts <JSON>`. */
import { Database, type Target } from "../../../engines/postgres/database.ts";
import { systemClock } from "../../../kernel/clock.ts";
import { readConfig } from "../../../kernel/config.ts";
import { createLog } from "../../../kernel/log.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { Secrets } from "../../../kernel/secrets.ts";
import { draftOf, ledgerNode, writeForEver } from "./stand.ts";

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
ledger.start();
for (let writer = 0; writer < 8; writer += 1) {
  void writeForEver(
    ledger,
    database,
    () => draftOf(organizationId, { sealed: { writer } }),
    (id) => {
      process.stdout.write(`${id}\n`);
    },
  );
}
// Whoever started it has gone without killing it.
setTimeout(() => process.exit(1), 60_000);
