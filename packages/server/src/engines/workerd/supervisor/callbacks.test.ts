import type { IncomingMessage } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { ACTORS, eventually, openFixture, stopFixtures } from "./testing/fixture.ts";
import { actors, COUNTER } from "./testing/programs.ts";

afterEach(stopFixtures);

const CALLER = `
export class Caller {
  constructor(state) { this.state = state; }
  async fetch(request) {
    console.log("hello", 1);
    const ctx = butterbase.ctx(request, {}, this.state);
    const answer = await ctx.invoke("greet", { name: "x" });
    return new Response(answer.status + " " + await answer.text());
  }
}`;

describe("what a process asks of Ambit", () => {
  it("arrives with the class that vouched for it, and without its token", async () => {
    const test = await openFixture();
    test.deploy(actors({ caller: CALLER }, { logs: true }));
    const seen: { unit: string | null; url: string; headers: IncomingMessage["headers"]; raw: string[] }[] =
      [];
    test.onCallback = (unit, request, response) => {
      seen.push({ unit, url: request.url!, headers: request.headers, raw: request.rawHeaders });
      response.writeHead(207).end("from Ambit");
    };
    const answer = await test.text("/_do/caller/a", { headers: { "x-request-id": "req-1" } });
    expect(answer).toContain("from Ambit");
    expect(seen.length).toBe(1);
    expect(seen[0]!.url).toContain("/fn/greet");
    expect(seen[0]!.headers).not.toHaveProperty("x-ambit-unit");
    expect(seen[0]!.raw.map((text) => text.toLowerCase())).not.toContain("x-ambit-unit");
    await eventually(() =>
      test.batches.some((batch) => batch.events.some((event) => event.lines.length > 0)),
    );
  });
});

describe("inspect", () => {
  it("looks into an instance by name and by id, and says what is wrong", async () => {
    const test = await openFixture();
    test.deploy(actors({ counter: COUNTER }));
    await test.text("/_do/counter/a%2Fb%20c");
    const list = { op: "kv_list", limit: 5 } as const;
    const byName = await test.engine.inspect(ACTORS, "counter", { name: "a/b c" }, list);
    const id = test.engine.idFromName("key-counter", "a/b c");
    expect(await test.engine.inspect(ACTORS, "counter", { id }, list)).toEqual(byName);
    expect(JSON.stringify(byName)).toContain('"n"');
    const wrong = test.engine.inspect(
      ACTORS,
      "counter",
      { name: "a" },
      { op: "sql", sql: "selec", params: [], limit: 1 },
    );
    await expect(wrong).rejects.toMatchObject({ status: 400, code: "INSPECTION_FAILED" });
    await expect(test.engine.inspect(ACTORS, "nobody", { name: "a" }, list)).rejects.toMatchObject({
      status: 404,
    });
  });
});
