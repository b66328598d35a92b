import type { Client } from "@modelcontextprotocol/client";
import type { Ambit } from "../../packages/server/src/ambit.ts";
import { playActors } from "./actors.ts";
import { call, connectAgent, type Print } from "./agent.ts";
import { playGateway } from "./gateway.ts";
import { type Person, signUp } from "./people.ts";
import { playSubstrate } from "./substrate.ts";
import { type Watcher, watch } from "./watcher.ts";

/** What the demo made, for the hints that follow it. */
export interface Played {
  readonly appId: string;
  readonly ada: Person;
  /** Everyone saw exactly what they may see. */
  readonly asExpected: boolean;
}

type Saw = readonly [ada: string, ben: string, guest: string, agent: string];

const PASSWORD = "Demo-pass-2026!";
const COLUMN = 17;

/**
 * The main job: an agent builds a backend over MCP; two people, a guest and the agent watch one table;
 * rows are written, shared, handed over and deleted; the transcript shows who saw what. Then the agent deploys a chat
 * room and an agent with a pace, and people use them. It writes to the organisation's memory: a person says yes and no,
 * and the ledger of it is verified. At last it calls the tools of another MCP server, within what a policy allows.
 */
export async function playMainJob(ambit: Ambit, print: Print): Promise<Played> {
  const agent = await connectAgent(ambit.mcpUrl, String(ambit.credentials.agent_key));
  try {
    print("1. An agent builds a backend over MCP\n");
    const appId = await buildBackend(agent, print);
    print("\n2. Two people sign up and connect; a guest and the agent watch too\n");
    const ada = await signUp(ambit.apiUrl, appId, "ada", PASSWORD);
    const ben = await signUp(ambit.apiUrl, appId, "ben", PASSWORD);
    const watchers = await Promise.all([
      watch(ambit.apiUrl, appId, ada.token),
      watch(ambit.apiUrl, appId, ben.token),
      watch(ambit.apiUrl, appId, null),
      watch(ambit.apiUrl, appId, ambit.credentials.agent_key),
    ]);
    print("   ada, ben, guest and agent have subscribed to changes of `notes`");
    print("\n3. Rows change; each sees what row-level security lets them see\n");
    const sawRight = await playSteps({ agent, appId, ada, ben, watchers, print });
    for (const watcher of watchers) watcher.close();
    if (sawRight) print("\n   Everyone saw exactly what they may see.");
    print("\n4. The agent deploys stateful actors and a function, one TypeScript file each\n");
    const actedRight = await playActors({ apiUrl: ambit.apiUrl, agent, appId, ada, ben, print });
    print("\n5. The agent writes to the organisation's memory; a person decides; a ledger has all of it\n");
    const rememberedRight = await playSubstrate(ambit, agent, appId, print);
    print("\n6. A policy stands between the agent and another MCP server; a person decides where it asks\n");
    const judgedRight = await playGateway(ambit, agent, appId, print);
    const asExpected = sawRight && actedRight && rememberedRight && judgedRight;
    print(asExpected ? "\n   Everything as expected." : "\n   NOT as expected: see the lines marked ✗.");
    return { appId, ada, asExpected };
  } finally {
    await agent.close();
  }
}

async function buildBackend(agent: Client, print: Print): Promise<string> {
  const name = `notes-${Date.now().toString(36)}`;
  const app = await call(agent, print, "init_app", { name }, `an app named ${name}`);
  const app_id = String(app.app_id);
  const schema = {
    tables: {
      notes: {
        columns: {
          id: { type: "uuid", primaryKey: true, default: "gen_random_uuid()" },
          owner_id: { type: "text", nullable: false },
          title: { type: "text", nullable: false },
          shared: { type: "boolean", nullable: false, default: "false" },
        },
      },
    },
  };
  await call(
    agent,
    print,
    "manage_schema",
    { app_id, action: "apply", schema },
    "a table `notes`: id, owner_id, title, shared",
  );
  const isolation = {
    app_id,
    action: "create_user_isolation",
    table_name: "notes",
    user_column: "owner_id",
    public_read_column: "shared",
  };
  await call(agent, print, "manage_rls", isolation, "own rows only, shared ones for all to read");
  await call(
    agent,
    print,
    "manage_realtime",
    { app_id, action: "configure", tables: ["notes"] },
    "live changes of `notes`",
  );
  return app_id;
}

interface Stage {
  agent: Client;
  appId: string;
  ada: Person;
  ben: Person;
  watchers: Watcher[];
  print: Print;
}

async function playSteps({ agent, appId, ada, ben, watchers, print }: Stage): Promise<boolean> {
  const row = (id: string) => ({ app_id: appId, table: "notes", filters: { id: `eq.${id}` } });
  let note = "";
  const steps: [what: string, act: () => Promise<unknown>, expected: Saw][] = [
    [
      "ada writes a note",
      async () => {
        note = await ada.write(appId, { title: "Plan" });
      },
      ["INSERT", "–", "–", "INSERT"],
    ],
    [
      "ada renames it",
      () => ada.change(appId, note, { title: "Secret plan" }),
      ["UPDATE", "–", "–", "UPDATE"],
    ],
    [
      "ada shares it",
      () => ada.change(appId, note, { shared: true }),
      ["UPDATE", "INSERT enter", "INSERT enter", "UPDATE"],
    ],
    [
      "ada unshares it",
      () => ada.change(appId, note, { shared: false }),
      ["UPDATE", "DELETE leave", "DELETE leave", "UPDATE"],
    ],
    [
      "agent hands it to ben",
      () => agent.callTool({ name: "update_rows", arguments: { ...row(note), data: { owner_id: ben.id } } }),
      ["DELETE leave", "INSERT enter", "–", "UPDATE"],
    ],
    ["ben deletes it", () => ben.remove(appId, note), ["–", "DELETE", "–", "DELETE"]],
  ];
  print(
    `   ${"".padEnd(22)}  ${["ada", "ben", "guest", "agent"].map((name) => name.padEnd(COLUMN)).join("")}`,
  );
  let asExpected = true;
  for (const [what, act, expected] of steps) {
    for (const watcher of watchers) watcher.forget();
    await act();
    // The agent sees every change; once it has this one, everyone else's frames of it are on their way too.
    await watchers[3]!.next();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const saw = watchers.map((watcher) => watcher.saw());
    const right = saw.every((text, i) => text === expected[i]);
    asExpected &&= right;
    print(` ${right ? "✓" : "✗"} ${what.padEnd(22)}  ${saw.map((text) => text.padEnd(COLUMN)).join("")}`);
  }
  return asExpected;
}
