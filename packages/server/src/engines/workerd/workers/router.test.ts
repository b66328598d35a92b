import { afterAll, beforeAll, expect, it } from "vitest";
import { actorProgram } from "../config/testing/program.ts";
import { type Running, run, stopAll } from "../config/testing/run.ts";

const where = `export class Where { constructor(state) { this.state = state; }
  fetch(request) { return Response.json([this.state.id.name, request.url, request.method, request.headers.get("x-ambit-scheme")]); } }`;

let running: Running;
let secure: Running;
beforeAll(async () => {
  const program = actorProgram({ where, constructor: where.replace("Where", "Constructor") });
  running = await run(program);
  secure = await run({ ...program, scheme: "https" });
});
afterAll(stopAll);

it("finds the instance by its decoded name and changes nothing of the URL", async () => {
  const instance = async (path: string) => (await running.actor(path)).json();
  expect(await instance("/_do/where/a")).toEqual(["a", "http://app.test/_do/where/a", "GET", null]);
  expect((await instance("/_do/where/a%20b%2Fc%C3%A9/rest?x=/y#z"))[0]).toBe("a b/cé");
  expect((await instance("/_do/where/a?b=/c"))[0]).toBe("a");
  expect((await instance("/_do/where/a/b?c"))[1]).toBe("http://app.test/_do/where/a/b?c");
  expect((await instance("/_do/constructor/a"))[0]).toBe("a");
});

it("says 404 to whatever is no instance", async () => {
  const paths = [
    "/",
    "/_do",
    "/_do/",
    "/_do/where",
    "/_do/where/",
    "/_do/where/?x",
    "/_do/where//rest",
    "/_do/nope/x",
  ];
  for (const path of [
    ...paths,
    "/_do/toString/x",
    "/_do/WHERE/x",
    "/_do/where?/x",
    "/_do/where/%ff",
    "/_DO/where/x",
  ]) {
    const answer = await running.actor(path);
    expect([path, answer.status, answer.body]).toEqual([path, 404, "unknown DO"]);
  }
});

it("finds instances whatever the class does to its env and to what it imports", async () => {
  const rude = `import { env } from "cloudflare:workers";
    for (const name of Object.keys(env)) delete env[name];
    console.log("while loading");
    export class Rude { constructor(state, own) { this.own = own; } fetch() { return new Response(String(typeof this.own.RUDE)); } }`;
  const tampered = await run(actorProgram({ rude }));
  const answer = await tampered.actor("/_do/rude/a");
  expect(answer.status).toBe(200);
  expect((await tampered.inspect("rude", "a", { op: "alarm" })).json()).toEqual({ atMs: null });
});

it("a class answers on its socket for itself alone", async () => {
  for (const path of ["/_do/constructor/a", "/_ambit/inspect/constructor/name/a", "/_ambit/health"]) {
    const answer = await running.on("where", path);
    expect([path, answer.status, answer.body]).toEqual([path, 404, "unknown DO"]);
  }
});

it("is healthy", async () => {
  const answer = await running.actor("/_ambit/health");
  expect([answer.status, answer.body]).toEqual([200, "ok"]);
});

it("tells user code the scheme clients used, whatever they say themselves", async () => {
  const said: Record<string, string>[] = [
    {},
    { "x-ambit-scheme": "https" },
    { "x-ambit-scheme": "http" },
    { "x-forwarded-proto": "http" },
  ];
  for (const headers of said) {
    const answer = await secure.actor("/_do/where/a?b", {
      method: "POST",
      body: "x",
      headers,
    });
    expect(answer.json()).toEqual(["a", "https://app.test/_do/where/a?b", "POST", null]);
  }
  const plain = await running.actor("/_do/where/a", { headers: { "x-forwarded-proto": "https" } });
  expect(plain.json()[1]).toBe("http://app.test/_do/where/a");
});
