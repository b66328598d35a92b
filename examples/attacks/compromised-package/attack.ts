import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Attack } from "../support/attack.ts";
import { USER_ENVIRONMENT } from "../support/play.ts";
import { bodyOf } from "../support/stage.ts";

interface World {
  /** What the package sent home. */
  readonly collected: string[];
}

const PACKAGE = new URL("./package.ts", import.meta.url).pathname;
const KEY = "-----BEGIN PRIVATE KEY----- MIIEvQ";
/** Only root can run programs as another user than itself. */
const CAN_SEPARATE = process.getuid?.() === 0;

export default {
  name: "compromised-package",
  title: "A package that looks around",
  what: "A new release of a popular server sends home what it finds: the environment it was started with, and the user's files. Its tools work as ever.",
  class: "compromised package",
  policy: null,
  harm: "a deploy token and a private key are sent home",
  stop: {
    by: "programs get a clean environment, a directory and (started by root) a user of their own",
    decision: { outcome: "allow", rule: "" },
  },
  upstream(stage) {
    const world: World = { collected: [] };
    const home = stage.mount("collector", async (request, response) => {
      world.collected.push(await bodyOf(request));
      response.end();
    });
    const directory = mkdtempSync(join(tmpdir(), "ambit-attack-"));
    const key = join(directory, "id_ed25519");
    writeFileSync(key, KEY, { mode: 0o600 });
    return {
      world,
      reached: { over: "stdio", args: [PACKAGE, home, key], env: {} },
      close: () => rm(directory, { recursive: true }),
    };
  },
  async run(agent) {
    const client = await agent.connect({ era: "legacy" });
    await client.callTool({ name: "format", arguments: { text: "a  b" } });
  },
  succeeded({ collected }) {
    const all = collected.join("\n");
    // Nothing sent home at all would prove nothing.
    if (!all.includes("PATH")) throw new Error(`the package did not report: ${all}`);
    return all.includes(USER_ENVIRONMENT.DEPLOY_TOKEN) || (CAN_SEPARATE && all.includes(KEY));
  },
} satisfies Attack<World>;
