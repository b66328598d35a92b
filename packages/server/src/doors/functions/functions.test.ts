import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { functionsStage, type Stage } from "./testing/stage.ts";

let stage: Stage;
let app: App;
beforeAll(async () => {
  stage = await functionsStage();
  app = await stage.createApp();
});
afterAll(() => stage.stop());

const at = (name: string, rest = "") => `/v1/${app.id}/fn/${name}${rest}`;
const open = [{ type: "http" as const, config: { auth: "none" } }];
const ECHO = `export async function handler(req: Request, ctx: any) {
  return { url: req.url, method: req.method, headers: Object.fromEntries(req.headers), user: ctx.user,
    caller: ctx.caller, trigger: ctx.trigger, env: ctx.env, app: ctx.app, request: ctx.request };
}`;

describe("a deployed function", () => {
  it("answers at its own URL, with its variables and what Ambit says of the call", async () => {
    await stage.deploy(app, "echo", ECHO, { triggers: open, env: { GREETING: 'hé"llo' } });
    const response = await stage.call(at("echo", "/deep/er?x=1"), {
      headers: {
        "x-butterbase-caller-user": "forged",
        "x-ambit-context": "forged",
        "x-forwarded-for": "9.9.9.9",
        cookie: "session=1",
        "x-mine": "yes",
      },
    });
    expect(response.status).toBe(200);
    const seen = (await response.json()) as any;
    expect(seen.url).toBe(`http://${app.subdomain}.localhost:4000/fn/echo/deep/er?x=1`);
    expect(seen.env).toMatchObject({
      GREETING: 'hé"llo',
      BUTTERBASE_APP_ID: app.id,
      BUTTERBASE_REGION: "local",
    });
    expect(seen).toMatchObject({ method: "GET", user: null, trigger: "http", caller: { type: "anonymous" } });
    expect(seen.app).toEqual({ id: app.id, name: app.name, subdomain: app.subdomain });
    expect(seen.headers["x-mine"]).toBe("yes");
    expect(seen.headers["x-ambit-context"]).not.toBe("forged");
    for (const name of ["x-butterbase-caller-user", "x-forwarded-for", "cookie"])
      expect(seen.headers[name]).toBeUndefined();
    expect(response.headers.get("content-security-policy")).toBe("sandbox");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response.headers.get("x-request-id")).toBe(seen.request.id);
  });
});
