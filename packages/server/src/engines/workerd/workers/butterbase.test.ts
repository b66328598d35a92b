import { afterAll, beforeAll, expect, it } from "vitest";
import { actorProgram } from "../config/testing/program.ts";
import { eventually, type Running, run, stopAll } from "../config/testing/run.ts";

const caller = `import { DurableObject } from "cloudflare:workers";
const atLoad = typeof butterbase.ctx;
export class Caller extends DurableObject {
  async fetch(request) {
    const b = butterbase.ctx(request, this.env, this.ctx);
    const path = new URL(request.url).pathname.split("/")[4];
    if (path === "data") return Response.json([atLoad, b.user, b.request, b.env === this.env, b.state === this.ctx]);
    if (path === "invoke") return b.invoke("send mail", { to: "x" }, { path: "a/b?c=1", headers: { "x-mine": "1" } });
    if (path === "get") return b.invoke("plain", undefined, { method: "GET" });
    if (path === "text") return b.invokeDO("other", "a/b", "text", { method: "PUT", path: "/deep" });
    if (path === "stream") return b.invokeDO("other", "é", request.body);
    if (path === "deep") { try { await b.invoke("f"); } catch (error) { return Response.json([error.name, error.code, error.message]); } }
    if (path === "steps") {
      const codes = [];
      for (const [key, options] of [["..", {}], [".", {}], ["", {}], ["ok", { path: "../x" }], ["ok", { path: "/a/%2E%2e/x" }], ["ok", { path: "a\\\\..\\\\y" }], ["ok", { path: "/.." }]])
        try { await b.invokeDO("room", key, null, options); codes.push("sent"); } catch (error) { codes.push(error.code); }
      return Response.json(codes.concat((await (await b.invokeDO("room", "..a", null, { path: "/..x/a.?b=/../" })).json()).path));
    }
    if (path === "alarm") { await this.ctx.storage.setAlarm(Date.now()); return new Response(); }
    if (path === "forge") return b.invoke("f", null, { headers: { "x-ambit-unit": "guess", "x-ambit-invocation": "other" } });
    if (path === "change") { try { butterbase.ctx = 1; } catch {} try { globalThis.butterbase = 1; } catch {} return new Response(typeof butterbase.ctx); }
  }
  async alarm() { await butterbase.ctx(undefined, this.env, this.ctx).invoke("from-alarm", { at: 1 }); }
}`;

let running: Running;
beforeAll(async () => {
  running = await run(actorProgram({ caller }), (call, response) => {
    response.writeHead(call.path === "/fn/plain" ? 418 : 200, { "x-from": "ambit" });
    response.end(JSON.stringify(call));
  });
});
afterAll(stopAll);

const id = { "x-request-id": "req-1" };
const ask = (path: string, headers: Record<string, string> = id, body?: string) =>
  running.actor(`/_do/caller/x/${path}`, { headers, body });

it("tells who calls", async () => {
  const headers = {
    ...id,
    "x-butterbase-caller-user": "user-1",
    "x-butterbase-caller-type": "function",
    "x-butterbase-internal-caller": "send-mail",
    "x-butterbase-loop-depth": "2",
  };
  const request = { id: "req-1", loopDepth: 2, caller: "send-mail", callerType: "function", keyId: null };
  expect((await ask("data", headers)).json()).toEqual(["function", { id: "user-1" }, request, true, true]);
  const nobody = { id: null, loopDepth: 0, caller: null, callerType: null, keyId: null };
  expect((await ask("data", {})).json()).toEqual(["function", null, nobody, true, true]);
});

it("calls functions and instances on behalf of the request", async () => {
  expect((await ask("invoke")).json()).toMatchObject({
    method: "POST",
    path: "/fn/send%20mail/a/b?c=1",
    headers: { "x-ambit-invocation": "req-1", "content-type": "application/json", "x-mine": "1" },
    body: '{"to":"x"}',
  });
  const get = await ask("get");
  expect([get.status, get.headers["x-from"], get.json().method, get.json().body]).toEqual([
    418,
    "ambit",
    "GET",
    "",
  ]);
  expect((await ask("text")).json()).toMatchObject({
    method: "PUT",
    path: "/do/other/a%2Fb/deep",
    body: "text",
  });
  expect((await ask("stream", id, "bytes")).json()).toMatchObject({
    path: "/do/other/%C3%A9",
    body: "bytes",
  });
});

it("says one thing about who it is, whatever user code adds", async () => {
  const { headers } = (await ask("forge")).json();
  expect(headers["x-ambit-invocation"]).toBe("req-1");
  expect(headers["x-ambit-unit"]).toMatch(/^[\w-]{32}$/);
});

it("stops circles early and says how", async () => {
  const [name, code, message] = (await ask("deep", { ...id, "x-butterbase-loop-depth": "4" })).json();
  expect([name, code]).toEqual(["AmbitError", "LOOP_DEPTH_EXCEEDED"]);
  expect(message).toContain("4");
});

it("sends nothing that a URL would turn into another target", async () => {
  const [last, ...codes] = (await ask("steps")).json().reverse();
  expect(codes).toEqual(Array(7).fill("INVALID_TARGET"));
  expect(last).toBe("/do/room/..a/..x/a.?b=/../");
});

it("works in alarms, as the class", async () => {
  await ask("alarm");
  const call = await eventually(() => running.callbacks.find((each) => each.path === "/fn/from-alarm"));
  expect(call.headers["x-ambit-unit"]).toBe(running.tokens.units.caller);
  expect(call.headers["x-ambit-invocation"]).toBeUndefined();
});

it("can't be replaced", async () => {
  expect((await ask("change")).body).toBe("function");
});
