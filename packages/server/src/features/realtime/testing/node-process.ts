/** A node in a process of its own, to be killed: reads the log of the database named in argv[2]. */
import { Database, type Target } from "../../../engines/postgres/database.ts";
import { createLog } from "../../../kernel/log.ts";
import { TestReader } from "./test-reader.ts";

const target: Target = JSON.parse(process.argv[2]!);
const { reader, nodeId } = new TestReader(new Database(target, () => "", createLog("silent")));
reader.start();
reader.hold();
await reader.ready();
process.stdout.write(`${nodeId}\n`);
setInterval(() => {}, 1_000);
