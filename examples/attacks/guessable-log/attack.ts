import { createHash } from "node:crypto";
import { legacyCall } from "../support/agent.ts";
import { must } from "../support/ambit.ts";
import type { Attack } from "../support/attack.ts";
import { takes, toolServer } from "../support/tool-server.ts";
import policy from "./policy.json" with { type: "json" };

const PIN = "4071";

interface World {
  /** What the reader of the log found out. */
  guessed: string | null;
}

/** Every PIN there is, in the forms in which arguments are hashed, by each hash that is easily computed. */
function* guesses(): Generator<readonly [pin: string, hash: string]> {
  for (let number = 0; number < 10_000; number++) {
    const pin = String(number).padStart(4, "0");
    for (const text of [`{"pin":"${pin}"}`, `{"door":"safe","pin":"${pin}"}`, pin, `"${pin}"`]) {
      const digest = createHash("sha256").update(text).digest();
      yield [pin, digest.toString("hex")];
      yield [pin, digest.toString("base64url")];
    }
  }
}

export default {
  name: "guessable-log",
  title: "Hashes of arguments in the log",
  what: "A log keeps a hash of the arguments instead of the arguments. Whoever may read it tries all values: a PIN has ten thousand.",
  class: "mistakes of gateways",
  policy,
  without: "careless",
  harm: "a reader of the log learns the PIN",
  stop: {
    by: "the log has the names of arguments; where calls must be told apart, the hash is keyed",
    decision: { outcome: "hold", rule: "/tools/unlock/approve_if/0" },
  },
  upstream() {
    const handler = toolServer([{ name: "unlock", inputSchema: takes("door", "pin"), run: () => "open" }]);
    return { world: { guessed: null }, reached: { over: "http", handler } };
  },
  async run(agent, world) {
    const { ambit, careless } = agent;
    await agent.post(legacyCall("unlock", { door: "safe", pin: PIN }));
    let log = careless?.log.join("\n") ?? "";
    if (ambit !== null) {
      const grant = ambit.grants[0]!.grant_id;
      for (const path of [`/v1/gateway/decisions?grant_id=${grant}`, `/v1/approvals?requester=${grant}`]) {
        log += JSON.stringify(await must(ambit.agentKey("GET", path)));
      }
      log += JSON.stringify(await must(ambit.person("GET", "/v1/ledger/entries?limit=100")));
      if (!log.includes("gateway.hold")) throw new Error("the call is not in what was read");
    }
    for (const [pin, hash] of guesses()) if (log.includes(hash)) world.guessed = pin;
  },
  succeeded: ({ guessed }) => guessed === PIN,
} satisfies Attack<World>;
