import { createHmac } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createScheduler } from "../../features/functions/scheduler.ts";
import type { App } from "../../kernel/operation.ts";
import { functionsStage, type Stage } from "./testing/stage.ts";

let stage: Stage;
let app: App;
beforeAll(async () => {
  stage = await functionsStage();
  app = await stage.createApp();
  await stage.platform.database.ownerTransaction(app.id, async (tx) => {
    await tx.query("create table runs (id serial primary key, kind text, body jsonb, who text)");
    await tx.query("grant usage, select on sequence runs_id_seq to public");
  });
});
afterAll(() => stage.stop());

/** Keeps what it is called with; a text in the body makes it fail. */
const KEEPER = `export async function handler(req: Request, ctx: any) {
  const text = await req.text();
  await ctx.db.query("insert into runs (kind, body, who) values ($1, $2, $3)", [ctx.trigger, text, ctx.caller.type + ":" + (ctx.user?.id ?? "")]);
  if (text.includes("please fail")) return new Response("no", { status: 503 });
  return { kept: JSON.parse(text), user: ctx.user };
}`;
const runs = async (kind: string) =>
  stage.platform.database.query<{ body: any; who: string }>(
    `select body, who from "${app.id}".runs where kind = $1 order by id`,
    [kind],
  );

describe("webhooks", () => {
  const secret = "whsecret";
  const send = (name: string, body: string, headers: Record<string, string>) =>
    stage.call(`/v1/${app.id}/webhook/${name}`, { method: "POST", body, headers });
  const github = (body: string, id: string) => ({
    "x-hub-signature-256": `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    "x-github-delivery": id,
  });

  it("run once per event, and again only when the run failed", async () => {
    await stage.deploy(app, "hook", KEEPER, {
      triggers: [{ type: "webhook", config: { provider: "github", secret } }],
    });
    const body = '{"action":"opened"}';
    const first = await send("hook", body, github(body, "d1"));
    expect([first.status, await first.json()]).toEqual([200, { kept: { action: "opened" }, user: null }]);
    const again = await send("hook", body, github(body, "d1"));
    expect(again.headers.get("x-butterbase-duplicate")).toBe("1");
    expect([again.status, await again.json()]).toEqual([200, { ok: true, duplicate: true }]);
    const failing = '{"say":"please fail"}';
    for (let attempt = 0; attempt < 2; attempt++)
      expect((await send("hook", failing, github(failing, "d2"))).status).toBe(503);
    expect((await runs("webhook")).map(({ body }) => Object.values(body)[0])).toEqual([
      ...["opened", "please fail", "please fail"],
    ]);
    expect((await runs("webhook"))[0]?.who).toBe("anonymous:");
  });

  it("are refused without the right signature, and where there is no trigger", async () => {
    const body = "{}";
    expect((await send("hook", "{} ", github(body, "d3"))).status).toBe(401);
    expect((await send("hook", body, {})).status).toBe(401);
    expect((await send("none", body, github(body, "d3"))).status).toBe(404);
    expect((await stage.call(`/v1/${app.id}/webhook/hook`)).status).toBe(404);
    expect((await stage.call(`/v1/${app.id}/fn/hook`)).status).toBe(404);
    expect(await stage.functions.get(app.id, "hook").then(JSON.stringify)).not.toContain(secret);
  });

  it("keep their secret over a deploy that does not name it", async () => {
    await stage.deploy(app, "hook", KEEPER, {
      triggers: [{ type: "webhook", config: { provider: "github" } }],
    });
    const body = '{"action":"later"}';
    expect((await send("hook", body, github(body, "d4"))).status).toBe(200);
  });

  it("that come twice at once run once", async () => {
    const body = '{"action":"twice"}';
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => send("hook", body, github(body, "d5"))),
    );
    expect(
      answers.filter(({ headers, status }) => status === 200 && !headers.has("x-butterbase-duplicate")),
    ).toHaveLength(1);
    for (const { status } of answers) expect([200, 409]).toContain(status);
    expect((await runs("webhook")).filter((run) => run.body.action === "twice")).toHaveLength(1);
  });
});

describe("schedules", () => {
  const makeDue = (name: string, minutesAgo: number) =>
    stage.platform.database.query(
      `update ambit.function_schedules set next_run_at = date_trunc('minute', now()) - make_interval(mins => $2)
       where function_id = (select id from ambit.functions where app_id = $1 and name = $3 and deleted_at is null)`,
      [app.id, minutesAgo, name],
    );

  it("run once between two nodes, count what was missed, and go on in the future", async () => {
    await stage.deploy(app, "tick", KEEPER, {
      triggers: [{ type: "cron", config: { schedule: "* * * * *" } }],
    });
    const nodes = [1, 2].map(() =>
      createScheduler(stage.platform, {
        catalogue: { find: stage.functions.find, peek: stage.functions.peek } as never,
        send: stage.functions.send,
      }),
    );
    await makeDue("tick", 0);
    await Promise.all(nodes.flatMap((node) => [node.tick(), node.tick()]));
    expect(await runs("cron")).toHaveLength(1);
    await makeDue("tick", 7);
    await Promise.all(nodes.flatMap((node) => [node.tick(), node.tick()]));
    const ran = await runs("cron");
    expect(ran).toHaveLength(2);
    expect(ran[1]).toMatchObject({ who: "loopback:", body: { schedule: "* * * * *", missed: 7 } });
    await Promise.all(nodes.map((node) => node.tick()));
    expect(await runs("cron")).toHaveLength(2);
    const { triggers, url } = await stage.functions.get(app.id, "tick");
    expect(url).toBeNull();
    expect(triggers[0]).toMatchObject({ type: "cron", missed_runs: 7, last_status: 200 });
    expect(Date.parse(triggers[0]!.next_run_at!)).toBeGreaterThan(Date.now());
  });

  it("are taken over when the node that held one is gone", async () => {
    const held = `update ambit.function_schedules set claim = gen_random_uuid(), leased_until = now() + $1::interval
      where function_id = (select id from ambit.functions where app_id = $2 and name = 'tick')`;
    await makeDue("tick", 0);
    await stage.platform.database.query(held, ["1 minute", app.id]);
    await stage.functions.scheduler.tick();
    expect(await runs("cron")).toHaveLength(2);
    await stage.platform.database.query(held, ["-1 second", app.id]);
    await stage.functions.scheduler.tick();
    expect(await runs("cron")).toHaveLength(3);
  });

  it("end with the trigger and with the function", async () => {
    await stage.deploy(app, "tick", KEEPER, {
      triggers: [{ type: "cron", config: { schedule: "* * * * *" }, enabled: false }],
    });
    const schedules = () =>
      stage.platform.database.query(
        "select 1 from ambit.function_schedules s join ambit.functions f on f.id = s.function_id where app_id = $1 and deleted_at is null",
        [app.id],
      );
    expect(await schedules()).toHaveLength(0);
  });
});

describe("events of sockets and of sign-ins", () => {
  it("run as who sent them", async () => {
    await stage.deploy(app, "moves", KEEPER, {
      triggers: [{ type: "websocket", config: { event: "move" } }],
    });
    const event = (viewer: object, name = "move") =>
      stage.functions.onRealtimeEvent({ appId: app.id, viewer: viewer as never, name, payload: { x: 1 } });
    const anon = { role: "anon", userId: null, claims: "", subject: "" };
    expect(await event(anon)).toEqual({ data: { kept: { event: "move", payload: { x: 1 } }, user: null } });
    const claims = JSON.stringify({ sub: "u1", app_id: app.id });
    expect(await event({ role: "user", userId: "u1", claims, subject: "u1" })).toMatchObject({
      data: { user: { id: "u1" } },
    });
    expect(await event(anon, "jump")).toBeNull();
    expect((await runs("websocket")).map(({ who }) => who)).toEqual(["anonymous:", "end_user_jwt:u1"]);
    // A socket that was opened with a key reads as service and writes nothing: its key's rights are not known here.
    const service = await event({ role: "service", userId: null, claims: "", subject: "" });
    expect(JSON.stringify(service)).toContain("error");
    expect(await runs("websocket")).toHaveLength(2);
  });

  it("call the function that the app has named for sign-ins", async () => {
    await stage.deploy(app, "signed-in", KEEPER);
    const user = {
      id: "u1",
      email: "a@b.example",
      email_verified: true,
      display_name: null,
      avatar_url: null,
    };
    const happened = { appId: app.id, user, isNewUser: true, provider: "email" };
    await stage.functions.onAuthEvent({ ...happened, event: "signup" });
    expect(await runs("hook")).toHaveLength(0);
    await stage.apps.update(app.id, { auth_hook_function: "signed-in" });
    await stage.functions.onAuthEvent({ ...happened, event: "signup" });
    await stage.functions.onAuthEvent({ ...happened, event: "email_verified" });
    expect(await runs("hook")).toMatchObject([
      { who: "loopback:", body: { event: "signup", isNewUser: true, provider: "email", user: { id: "u1" } } },
    ]);
  });
});
