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
