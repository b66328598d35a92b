import { expect, it } from "vitest";
import type { Verdict } from "./admission.ts";
import { limits } from "./limits.ts";
import { Rechecks } from "./rechecks.ts";
import { newSession } from "./session.ts";
import { Cluster } from "./testing/cluster.ts";
import { recorder, user } from "./testing/recorder.ts";

it("bears with a database that does not answer for a while, and then takes everybody out", async () => {
  const cluster = new Cluster();
  let verdict: Verdict = "yes";
  const out: unknown[] = [];
  const refreshed: (readonly string[])[] = [];
  const session = newSession(recorder("app", "c", user("u")), 0);
  const rechecks = new Rechecks({
    admission: {
      may: async () => ({ verdict, action: "receive" }),
      isKnown: () => false,
      refresh: async (appIds) => refreshed.push(appIds) > 0,
    },
    clock: () => cluster.nowMs,
    later: cluster.laterOn(cluster.start("one")),
    sessions: () => [session],
    takeOut(each, kind, name, reason) {
      out.push([cluster.nowMs, kind, name, reason]);
      each.channels.delete(name ?? "");
      each.rooms.delete(name);
    },
  });
  // The app-wide room has no rules: nothing is asked for it.
  session.rooms.set(null, { heldAtMs: 0 });
  rechecks.arm();
  await cluster.pass(limits.recheckMs);
  session.channels.set("a", { heldAtMs: cluster.nowMs });
  session.rooms.set("b", { heldAtMs: cluster.nowMs });
  await cluster.pass(2 * limits.recheckMs);
  expect(refreshed).toEqual([[], ["app"], ["app"]]);
  const seenMs = cluster.nowMs;
  verdict = "unavailable";
  await cluster.pass(limits.blindMs - 1);
  expect(out).toEqual([]);
  await cluster.pass(1);
  expect(out).toEqual([
    [seenMs + limits.blindMs, "room", "b", "undecided"],
    [seenMs + limits.blindMs, "channel", "a", "undecided"],
  ]);
  expect([...session.rooms.keys()]).toEqual([null]);
  rechecks.close();
});

it("lets other work have its turn, however many memberships there are", async () => {
  const cluster = new Cluster();
  const sessions = Array.from({ length: 40 }, (_, n) => newSession(recorder("app", `c${n}`, user("u")), 0));
  for (const { channels } of sessions) {
    for (let n = 0; n < limits.channelsPerConnection; n++) channels.set(`c${n}`, { heldAtMs: -1 });
  }
  const all = sessions.flatMap(({ channels }) => [...channels.values()]);
  let judged = 0;
  const rechecks = new Rechecks({
    admission: {
      async may() {
        judged += 1;
        return { verdict: "yes", action: "receive" };
      },
      refresh: async () => true,
      isKnown(_app, _viewer, name) {
        // Half of them are known.
        if (Number(name.slice(1)) % 2 === 0) return false;
        judged += 1;
        return true;
      },
    },
    clock: () => 7,
    later: cluster.laterOn(cluster.start("one")),
    sessions: () => sessions,
    takeOut: () => expect.unreachable(),
  });
  rechecks.judge(sessions);
  let most = judged;
  for (let turn = 0; turn < 100 && judged < all.length; turn++) {
    const before = judged;
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, judged - before);
  }
  expect(most).toBeLessThanOrEqual(2 * limits.rechecksPerTurn);
  await new Promise((resolve) => setImmediate(resolve));
  expect(judged).toBe(all.length);
  expect(all.every(({ heldAtMs }) => heldAtMs === 7)).toBe(true);
});
