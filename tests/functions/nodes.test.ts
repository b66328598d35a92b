import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { eventually } from "../support/actors.ts";
import { apiAs } from "../support/api.ts";
import { applySchema, must, newApp } from "../support/app.ts";
import { deployFunction, http, type Nodes, startNodes } from "../support/functions.ts";
import { callTool } from "../support/mcp.ts";
import type { Server } from "../support/server.ts";

/** Leaves a row for each run; one of them takes its time. */
const TICK = `export async function handler(req: Request, ctx: any) {
  await ctx.db.asService().query("insert into runs (name, body, who, trigger) values ($1, $2, $3, $4)",
    [ctx.request.functionName, await req.text(), ctx.caller.type, ctx.trigger]);
  if (ctx.request.functionName === "due-slow") await new Promise((done) => setTimeout(done, 2200));
}`;

let nodes: Nodes;
let second: Server;
let appId: string;
let realSince: number;
const cron = (schedule: string) => ({
  triggers: [{ type: "cron", config: { schedule } }],
  run_as: "service",
});
const says = (value: unknown) => `export const handler = () => (${JSON.stringify(value)});`;

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"), 2);
  second = nodes.others[0]!;
  appId = await newApp(nodes.owner);
  await applySchema(nodes.owner, appId, {
    runs: {
      columns: {
        id: { type: "serial", primaryKey: true },
        name: { type: "text" },
        body: { type: "text" },
        who: { type: "text" },
        trigger: { type: "text" },
        at: { type: "timestamptz", default: "now()" },
      },
    },
  });
  // The clock runs while the other tests do their work; the last test looks at what it did.
  await deployFunction(nodes.agent, appId, "each-minute", TICK, cron("* * * * *"));
  realSince = Date.now();
});
afterAll(() => nodes?.close());

const runs = async (name: string): Promise<any[]> =>
  (
    await nodes.database.query(
      `select body, who, trigger, at from "${appId}".runs where name = $1 order by id`,
      [name],
    )
  ).rows;
const setDue = (pattern: string, at: string) =>
  nodes.database.query(
    `update ambit.function_schedules set next_run_at = ${at} where function_id in
     (select id from ambit.functions where app_id = $1 and name like $2 and deleted_at is null)`,
    [appId, pattern],
  );
const call = (node: Pick<Server, "apiUrl">, name: string) =>
  apiAs(node.apiUrl, null)("GET", `/v1/${appId}/fn/${name}`);

describe("two nodes on one database", () => {
  it("both serve a new version soon after it is deployed on one, and lose no request over it", async () => {
    await deployFunction(nodes.agent, appId, "shared", says(0), http("none"));
    await eventually(async () => (await call(second, "shared")).body === 0, "the function on the other node");
    const failed: unknown[] = [];
    let going = true;
    const load = Promise.all(
      [nodes.server, second].map(async (node) => {
        while (going) {
          const answer = await call(node, "shared");
          if (answer.status !== 200) failed.push([answer.status, answer.body]);
          await sleep(5);
        }
      }),
    );
    for (const n of [1, 2, 3]) {
      await deployFunction(nodes.agent, appId, "shared", says(n));
      expect((await call(nodes.server, "shared")).body).toBe(n);
      await eventually(
        async () => (await call(second, "shared")).body === n,
        "the new version on the other node",
        5_000,
      );
      for (let i = 0; i < 10; i++)
        expect([(await call(nodes.server, "shared")).body, (await call(second, "shared")).body]).toEqual([
          n,
          n,
        ]);
    }
    going = false;
    await load;
    expect(failed).toEqual([]);
  });

  it("take over variables, settings and the end of a function", async () => {
    const owner = apiAs(nodes.server.apiUrl, nodes.server.apiKey);
    const env = "export const handler = (_: Request, { env }: any) => env.WORD ?? null;";
    await deployFunction(nodes.agent, appId, "gone", env, http("none"));
    await eventually(
      async () => (await call(second, "gone")).status === 200,
      "the function on the other node",
    );
    must(await owner("PATCH", `/v1/${appId}/functions/gone/env`, { envVars: { WORD: "new" } }));
    await eventually(
      async () => (await call(second, "gone")).body === "new",
      "the variable on the other node",
      5_000,
    );
    must(await owner("DELETE", `/v1/${appId}/functions/gone`));
    await eventually(
      async () => (await call(second, "gone")).status === 404,
      "the end on the other node",
      5_000,
    );
    expect((await call(second, "shared")).status).toBe(200);
  });

  it("may deploy at the same time: every function serves on both", async () => {
    const other = apiAs(second.apiUrl, nodes.server.apiKey);
    const here = apiAs(nodes.server.apiUrl, nodes.server.apiKey);
    const names = Array.from({ length: 6 }, (_, i) => `race-${i}`);
    const answers = await Promise.all(
      names.map((name, i) =>
        (i % 2 ? here : other)("POST", `/v1/${appId}/functions`, { name, code: says(name), ...http("none") }),
      ),
    );
    for (const [i, { status, body }] of answers.entries()) {
      // Told to try again is an answer; to be told of a success that is none is not.
      if (status !== 200) expect([status, body.error.code]).toEqual([409, "FUNCTION_CHANGED"]);
      else
        for (const node of [nodes.server, second])
          await eventually(
            async () => (await call(node, names[i]!)).body === names[i],
            `${names[i]} on both nodes`,
            5_000,
          );
    }
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
  });

  it("run each schedule that is due exactly once", async () => {
    const names = ["due-0", "due-1", "due-2", "due-slow"];
    for (const name of names) await deployFunction(nodes.agent, appId, name, TICK, cron("0 0 1 1 *"));
    const ranTimes = async (times: number) => {
      await eventually(async () => {
        const counts = await Promise.all(names.map(async (name) => (await runs(name)).length));
        return counts.every((count) => count >= times);
      }, "a run of every schedule");
      // Time for the other node to run them too, were it to: one of them takes longer than a look at the schedules.
      await sleep(2_500);
      for (const name of names) expect([name, (await runs(name)).length]).toEqual([name, times]);
    };
    await setDue("due-%", "now() - interval '1 second'");
    await ranTimes(1);
    // Both nodes look at the same rows while they fall due, and neither gets them before the other.
    const held = await nodes.database.connect();
    await setDue("due-%", "now() + interval '300 milliseconds'");
    await held.query("begin");
    await held.query("select 1 from ambit.function_schedules for update");
    await sleep(2_500);
    await held.query("commit");
    held.release();
    await ranTimes(2);
    expect((await runs("due-0"))[0]).toMatchObject({ who: "loopback", trigger: "cron" });
    expect(JSON.parse((await runs("due-0"))[0].body)).toMatchObject({
      trigger: "cron",
      schedule: "0 0 1 1 *",
      missed: 0,
    });
    const shown = await callTool(nodes.agent, "manage_function", {
      app_id: appId,
      action: "get",
      function_name: "due-0",
    });
    expect(shown.triggers[0]).toMatchObject({ type: "cron", last_status: 204 });
    expect(Date.parse(shown.triggers[0].next_run_at)).toBeGreaterThan(Date.now());
  }, 40_000);

  it("do not run a schedule that is switched off or whose function is gone", async () => {
    await deployFunction(nodes.agent, appId, "off-1", TICK, cron("* * * * *"));
    await deployFunction(nodes.agent, appId, "off-2", TICK, cron("* * * * *"));
    await deployFunction(nodes.agent, appId, "off-1", TICK, {
      triggers: [{ type: "cron", config: { schedule: "* * * * *" }, enabled: false }],
    });
    await callTool(nodes.agent, "manage_function", {
      app_id: appId,
      action: "delete",
      function_name: "off-2",
    });
    await nodes.database.query(
      "update ambit.function_schedules set next_run_at = now() - interval '1 minute' where function_id in (select id from ambit.functions where app_id = $1 and name like 'off-%')",
      [appId],
    );
    await sleep(2_500);
    expect([...(await runs("off-1")), ...(await runs("off-2"))]).toEqual([]);
  });
});

describe("a schedule of every minute", () => {
  it("fires by itself, on time, once between the nodes", async () => {
    const ran = await eventually(
      async () => {
        const found = await runs("each-minute");
        return found.length > 0 && found;
      },
      "the run at the full minute",
      75_000,
    );
    await sleep(2_000);
    const all = await runs("each-minute");
    const minutes = all.map(({ body }) => JSON.parse(body).scheduled_at);
    expect(new Set(minutes).size).toBe(all.length);
    for (const [i, { at, body, who }] of all.entries()) {
      const { scheduled_at, missed } = JSON.parse(body);
      expect([who, missed, scheduled_at]).toEqual(["loopback", 0, expect.stringMatching(/:00\.000Z$/)]);
      expect(Date.parse(scheduled_at)).toBeGreaterThan(realSince - 1_000);
      expect(at.getTime()).toBeGreaterThanOrEqual(Date.parse(scheduled_at));
      if (i > 0) expect(Date.parse(scheduled_at) - Date.parse(minutes[i - 1])).toBe(60_000);
    }
    expect(ran.length).toBeGreaterThan(0);
    const view = await callTool(nodes.agent, "manage_function", {
      app_id: appId,
      action: "get",
      function_name: "each-minute",
    });
    expect(view).toMatchObject({
      url: null,
      lastStatus: 204,
      invocationCount: expect.toSatisfy((n: number) => n > 0),
    });
  }, 90_000);
});

describe("after nobody was there", () => {
  it("what was missed is run once, and told: to the function, in its view, in its logs", async () => {
    await deployFunction(nodes.agent, appId, "often", TICK, cron("*/5 * * * *"));
    await Promise.all([nodes.server.stop(), second.stop()]);
    await setDue("often", "date_bin('5 minutes', now(), '2001-01-01') - interval '35 minutes'");
    await setDue("each-minute", "now() + interval '1 day'");
    const server = await nodes.restart();
    const [run] = await eventually(async () => {
      const found = await runs("often");
      return found.length > 0 && found;
    }, "the run that was due");
    // A full five minutes may just have passed.
    const { missed, scheduled_at } = JSON.parse(run.body);
    expect(missed).toBeOneOf([7, 8]);
    expect(run.at.getTime() - Date.parse(scheduled_at)).toBeLessThan(6 * 60_000);
    const owner = apiAs(server.apiUrl, server.apiKey);
    const view = await eventually(async () => {
      const { body } = await owner("GET", `/v1/${appId}/functions/often`);
      return body.triggers[0].missed_runs > 0 && body;
    }, "the missed runs in the function's view");
    expect(view.triggers[0]).toMatchObject({ missed_runs: missed, last_missed_at: expect.any(String) });
    const logs = must(await owner("GET", `/v1/${appId}/functions/often/logs`));
    expect(logs.missed_runs).toEqual({ count: missed, last_missed_at: expect.any(String) });
    await sleep(2_000);
    expect(await runs("often")).toHaveLength(1);
  });
});
