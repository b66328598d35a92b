import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Stage, stage } from "./testing/stage.ts";

let on: Stage;
beforeAll(async () => {
  on = await stage();
});
afterAll(() => on.stop());

/** `/set` has an alarm in 3 s; any other path says how often it rang. */
const CODE = `export class Clock {
  constructor(state) { this.state = state; }
  async fetch(request) {
    if (request.url.endsWith("/set")) await this.state.storage.setAlarm(Date.now() + 3_000);
    return new Response(String((await this.state.storage.get("rang")) ?? 0));
  }
  async alarm() {
    await this.state.storage.put("rang", ((await this.state.storage.get("rang")) ?? 0) + 1);
  }
}`;

it("nothing of a paused app runs, its alarms wait until it is resumed", async () => {
  const app = await on.createApp();
  const key = `${app.id}/actors` as const;
  await on.run("deploy", { app_id: app.id, name: "clock", code: CODE });
  await on.ask(app, "clock", "a", "/set");
  await on.apps.update(app.id, { paused_at: new Date(), paused_reason: "for a while" });
  await expect.poll(() => on.runtime.engine.status(key).state).toBe("stopped");
  await pause(3_500);
  expect(on.runtime.engine.status(key).state).toBe("stopped");
  await expect(on.ask(app, "clock", "a")).rejects.toMatchObject({ code: "APP_PAUSED" });
  await on.apps.update(app.id, { paused_at: null, paused_reason: null });
  await expect.poll(() => on.runtime.engine.status(key).state, { timeout: 10_000 }).toBe("running");
  await expect.poll(async () => (await on.ask(app, "clock", "a")).text, { timeout: 10_000 }).toBe("1");
});
