import { describe, expect, it } from "vitest";
import { HolderCounts, holderOf } from "./holders.ts";
import { limits } from "./limits.ts";
import { overLimit } from "./over-limit.ts";

const user = holderOf({ kind: "user", appId: "app_a", userId: "u", claims: {}, expiresAtMs: 0 }, "192.0.2.1");
const nobody = holderOf({ kind: "anonymous" }, "192.0.2.1");

function ask(holder: typeof user, count: number, ofApp: number, ofHolder: number) {
  const hit: string[] = [];
  const clients = { count, countOf: () => ofApp, countOfHolder: () => ofHolder };
  const ending = overLimit("app_a", holder, clients, (limit) => hit.push(limit));
  return { ending, hit };
}

describe("overLimit", () => {
  it("names the limit of the node, the app, and whoever holds the connections, with what helps", () => {
    expect(
      ask(user, limits.connections - 1, limits.connectionsPerApp - 1, limits.connectionsPerUser - 1),
    ).toEqual({
      ending: null,
      hit: [],
    });
    const cases = [
      [ask(user, limits.connections, 0, 0), "realtime_connections"],
      [ask(user, 0, limits.connectionsPerApp, 0), "realtime_connections_per_app"],
      [ask(user, 0, 0, limits.connectionsPerUser), "realtime_connections_per_user"],
      [ask(nobody, 0, 0, limits.connectionsPerAddress), "realtime_connections_per_address"],
    ] as const;
    for (const [{ ending, hit }, limit] of cases) {
      expect(hit).toEqual([limit]);
      expect(ending).toMatchObject({ code: 1013, error: { code: "REALTIME_CONNECTION_LIMIT" } });
      expect(ending!.error!.remediation.length).toBeGreaterThan(20);
    }
  });
});

describe("HolderCounts", () => {
  it("counts users and addresses of one name apart, per app, and forgets who has none", () => {
    const counts = new HolderCounts();
    const address = { holderKind: "anonymous", holderId: "u" } as const;
    counts.add("app_a", user);
    counts.add("app_a", user);
    counts.add("app_a", address);
    counts.add("app_b", user);
    expect([
      counts.countOf("app_a", user),
      counts.countOf("app_a", address),
      counts.countOf("app_b", address),
    ]).toEqual([2, 1, 0]);
    for (let left = 0; left < 3; left += 1) counts.remove("app_a", user);
    counts.remove("app_c", user);
    expect([
      counts.countOf("app_a", user),
      counts.countOf("app_a", address),
      counts.countOf("app_b", user),
    ]).toEqual([0, 1, 1]);
  });
});
