/** A process of its own that starts the server, says so in one line of JSON, and stops it when told to. */
import { createInterface } from "node:readline";
import { EmbeddedPostgresError, startEmbedded } from "../index.ts";

const say = (value: object): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

try {
  const begun = performance.now();
  const server = await startEmbedded({ stateDir: process.argv[2]!, log: () => {} });
  server.onRestart(() => say({ restarted: server.pid }));
  const { pid, adopted, host, port } = server;
  say({ pid, adopted, host, port, durationMs: performance.now() - begun });
  for await (const _line of createInterface({ input: process.stdin })) {
    await server.stop();
    say({ stopped: true });
    break;
  }
  process.exit(0);
} catch (error) {
  say({ error: error instanceof EmbeddedPostgresError ? error.code : String(error) });
  process.exit(1);
}
