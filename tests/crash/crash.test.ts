import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { apiAs, type Person, signUp } from "../support/api.ts";
import { must, newApp, notesApp } from "../support/app.ts";
import { connectRealtime } from "../support/realtime.ts";
import { discard, postgresPid, type Server, startServer } from "../support/server.ts";

let server: Server | undefined;
afterEach(async () => {
  await discard(server);
  server = undefined;
});

/** Writers that insert one row after another until stopped; what was acknowledged, in each writer's order. */
function startWriters(person: Person, appId: string, count: number) {
  const acknowledged: string[][] = [];
  let stopped = false;
  const write = async (writer: number) => {
    const mine: string[] = [];
    acknowledged[writer] = mine;
    for (let n = 0; !stopped; n++) {
      const title = `w${writer}-${n}`;
      const answer = await person.api("POST", `/v1/${appId}/notes`, { title }).catch(() => null);
      if (answer?.status === 201) mine.push(title);
      else await sleep(10);
    }
  };
  const writers = Array.from({ length: count }, (_, writer) => write(writer));
  const total = () => acknowledged.reduce((sum, mine) => sum + mine.length, 0);
  return {
    acknowledged,
    /** Waits until `more` further rows were acknowledged. */
    async progress(more: number) {
      const goal = total() + more;
      while (total() < goal) await sleep(5);
    },
    async stop() {
      stopped = true;
      await Promise.all(writers);
      return acknowledged.flat();
    },
  };
}

const titles = (rows: any[]) => rows.map((row) => row.title as string);

describe("kill -9 of Ambit under load", { timeout: 90_000 }, () => {
  it("loses nothing acknowledged, and the next start recovers by itself", async () => {
    server = await startServer();
    const appId = await notesApp(apiAs(server.apiUrl, server.apiKey));
    const acknowledged: string[] = [];
    const email = (await signUp(server.apiUrl, appId, "ada")).email;
    for (let round = 0; round < 3; round++) {
      const login = must(
        await apiAs(server.apiUrl, null)("POST", `/auth/${appId}/login`, {
          email,
          password: "Correct-horse-7",
        }),
      );
      const person = { api: apiAs(server.apiUrl, login.access_token) } as Person;
      const prefix = `r${round}-`;
      const api = person.api;
      const writers = startWriters(
        {
          api: (method: string, path: string, body: any) => api(method, path, { title: prefix + body.title }),
        } as Person,
        appId,
        4,
      );
      await writers.progress(30 + 7 * round);
      await server.kill();
      acknowledged.push(...(await writers.stop()).map((title) => prefix + title));
      server = await startServer({}, server.dataDir);
    }
    const owner = apiAs(server.apiUrl, server.apiKey);
    const stored = new Set(titles(must(await owner("GET", `/v1/${appId}/notes?select=title&limit=10000`))));
    expect(acknowledged.filter((title) => !stored.has(title))).toEqual([]);
  });

  it("finishes what was interrupted: an app half made or half deleted is whole or gone", async () => {
    server = await startServer();
    const owner = apiAs(server.apiUrl, server.apiKey);
    const doomed = await newApp(owner, "doomed");
    const requests = [
      owner("DELETE", `/apps/${doomed}`).catch(() => null),
      ...Array.from({ length: 6 }, (_, n) => owner("POST", "/init", { name: `made-${n}` }).catch(() => null)),
    ];
    await sleep(15);
    await server.kill();
    await Promise.all(requests);
    server = await startServer({}, server.dataDir);
    const again = apiAs(server.apiUrl, server.apiKey);
    for (const app of must(await again("GET", "/apps")).apps) {
      expect(app.provisioning_status).toBe("ready");
      must(
        await again("POST", `/v1/${app.id}/schema/apply`, {
          schema: { tables: { t: { columns: { id: { type: "int", primaryKey: true } } } } },
        }),
      );
    }
  });
});

describe("kill -9 of Postgres under load", { timeout: 90_000 }, () => {
  it("loses nothing acknowledged; clients that stay connected get every change once, in order", async () => {
    server = await startServer();
    const appId = await notesApp(apiAs(server.apiUrl, server.apiKey));
    const ada = await signUp(server.apiUrl, appId, "ada");
    const ben = await signUp(server.apiUrl, appId, "ben");
    const mine = await connectRealtime(server.apiUrl, appId, ada.token);
    const other = await connectRealtime(server.apiUrl, appId, ben.token);
    await mine.subscribe("notes");
    await other.subscribe("notes");
    const writers = startWriters(ada, appId, 4);
    let killed: number | null = null;
    for (let round = 0; round < 3; round++) {
      await writers.progress(30);
      // Backends of a server that was killed may have acknowledged these still, before they noticed.
      let pid = postgresPid(server.dataDir);
      for (; pid === null || pid === killed; pid = postgresPid(server.dataDir)) await sleep(20);
      process.kill(pid, "SIGKILL");
      killed = pid;
    }
    await writers.progress(30);
    const acknowledged = await writers.stop();
    const owner = apiAs(server.apiUrl, server.apiKey);
    const stored = titles(must(await owner("GET", `/v1/${appId}/notes?select=title&limit=10000`)));
    expect(acknowledged.filter((title) => !stored.includes(title))).toEqual([]);

    must(await ada.api("POST", `/v1/${appId}/notes`, { title: "last" }));
    await mine.waitFor((frame) => frame.record?.title === "last", 15_000);
    const seen = titles(mine.changes("notes").map((frame) => frame.record));
    expect(new Set(seen).size).toBe(seen.length);
    expect([...seen].sort()).toEqual([...stored, "last"].sort());
    for (const [writer] of writers.acknowledged.entries()) {
      const order = seen
        .filter((title) => title.startsWith(`w${writer}-`))
        .map((title) => Number(title.split("-")[1]));
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
    expect(other.changes()).toEqual([]);
    await mine.close();
    await other.close();
  });
});
