import { startAmbit } from "./ambit.ts";
import { banner } from "./banner.ts";
import { readConfig } from "./kernel/config.ts";
import { runUntilSignal } from "./run.ts";

/** What `npm start` runs: serves until SIGTERM or SIGINT. */
await runUntilSignal(async () => {
  const ambit = await startAmbit(readConfig(process.env));
  process.stdout.write(banner(ambit, performance.now()));
  return ambit;
});
