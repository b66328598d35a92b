import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createExports } from "./export.ts";
import { limits } from "./limits.ts";
import { decisionOperations } from "./operations.ts";
import { type DecisionStand, decisionStand } from "./testing/stand.ts";

let stand: DecisionStand;
let serverId: string;
const ids: string[] = [];
beforeAll(async () => {
  stand = await decisionStand();
  serverId = await stand.server();
  const grantId = await stand.grant(serverId);
  for (let n = 0; n < 600; n += 1) {
    const outcome = n % 3 === 0 ? "deny" : "allow";
    ids.unshift(
      await stand.record({ serverId, grantId, outcome, message: "a\nb", args: { secret: "hush" } }),
    );
  }
});
afterAll(() => stand?.stop());

describe("an export", () => {
  it("streams everything that fits as lines, the last of which counts them, and no value", async () => {
    const http = await stand.http({ role: "viewer", keyKind: "agent" });
    const of = async (query: string) => {
      const answer = await fetch(`${http.url}/v1/gateway/decisions/export?${query}`);
      const text = await answer.text();
      expect([answer.status, answer.headers.get("content-type"), text.includes("hush")]).toEqual([
        ...[200, "application/x-ndjson; charset=utf-8", false],
      ]);
      const lines = text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line));
      expect(lines.pop()).toEqual({ type: "end", decisions: lines.length });
      return lines;
    };
    const all = await of(`server_id=${serverId}`);
    expect(all.map((line) => line.decision_id)).toEqual(ids);
    expect(all[0]).toEqual((await stand.list({ limit: 1 })).decisions[0]);
    expect(await of(`server_id=${serverId}&outcome=deny`)).toHaveLength(200);
    expect(await of("grant_id=gra_nobody")).toEqual([]);
    await http.close();
    const foreign = await stand.http({ organizationId: await stand.organization() });
    const answer = await fetch(`${foreign.url}/v1/gateway/decisions/export`);
    expect(await answer.text()).toBe('{"type":"end","decisions":0}\n');
    await foreign.close();
  });

  it("comes in pages through other doors", async () => {
    const operation = decisionOperations(stand.decisions).find(
      ({ name }) => name === "gateway.export_decisions",
    )!;
    const found: string[] = [];
    for (let before: string | null = null; ; ) {
      const page: any = await operation.run(
        {
          ...{ door: "mcp", principal: { kind: "key", organizationId: stand.organizationId, scopes: ["*"] } },
        } as never,
        { server_id: serverId, ...(before === null ? {} : { before }) } as never,
      );
      operation.output.parse(page);
      const lines = page.ndjson.split("\n").slice(0, -1);
      expect(lines.length).toBe(page.decisions);
      expect(lines.length).toBeLessThanOrEqual(limits.exportedAtOnce);
      found.push(...lines.map((line: string) => JSON.parse(line).decision_id));
      before = page.next_before;
      if (before === null) break;
    }
    expect(found).toEqual(ids);
  });

  it("is one of few at once, and given up when nobody reads", async () => {
    const exports = createExports(stand.platform, 50);
    async function* forEver() {
      for (;;) yield [{ text: "x".repeat(limits.exportChunkChars) }];
    }
    const streams = Array.from({ length: limits.exportsAtOnce }, () => exports.stream(forEver()));
    const broken = streams.map((stream) => new Promise<Error>((resolve) => stream.once("error", resolve)));
    for (const stream of streams) stream.read(1);
    await sleep(20);
    expect(() => exports.stream(forEver())).toThrow(expect.objectContaining({ code: "GATEWAY_EXPORT_BUSY" }));
    for (const error of await Promise.all(broken)) expect(error.message).toContain("stall");
    await sleep(20);
    exports.stream(forEver()).destroy();
  });
});
