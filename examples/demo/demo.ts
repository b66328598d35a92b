import { startAmbit } from "../../packages/server/src/ambit.ts";
import { banner } from "../../packages/server/src/banner.ts";
import { readConfig } from "../../packages/server/src/kernel/config.ts";
import { runUntilSignal } from "../../packages/server/src/run.ts";
import { FILE_SERVER } from "./gateway-scenes.ts";
import { playMainJob } from "./main-job.ts";
import { whatToTryNext } from "./next.ts";

/**
 * `npm run demo`: starts Ambit and plays its main job on it, live. Then it goes on serving; `-- --once` ends it.
 * What is shown is also checked: when someone sees too much or too little, it says so and ends with code 1.
 */
const once = process.argv.includes("--once");

await runUntilSignal(async () => {
  const config = readConfig(process.env);
  const ambit = await startAmbit({ ...config, stdioAllow: [...config.stdioAllow, FILE_SERVER] });
  process.stdout.write(banner(ambit, performance.now()));
  try {
    const played = await playMainJob(ambit, (line) => process.stdout.write(`${line}\n`));
    if (!once) process.stdout.write(whatToTryNext(ambit, played));
    if (once || !played.asExpected) {
      await ambit.stop();
      process.exit(played.asExpected ? 0 : 1);
    }
  } catch (error) {
    await ambit.stop();
    throw error;
  }
  return ambit;
});
