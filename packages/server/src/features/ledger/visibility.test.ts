import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callerOf } from "../../testing/caller.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createLedger } from "./index.ts";
import { seesValues } from "./visibility.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test?.stop());

describe("values of entries", () => {
  it.each([
    [["*"], [false, false, true]],
    [["substrate"], [true, true, false]],
    [
      ["*", "substrate", "read"],
      [true, true, true],
    ],
    [
      ["app:app_1", "ai:gateway"],
      [false, false, false],
    ],
  ])("%j", (scopes, expected) => {
    const sees = seesValues(scopes);
    expect(["substrate.action.executed", "approval.approved", "audit.keys.create"].map(sees)).toEqual(
      expected,
    );
  });

  it("of arguments that the gateway keeps are nobody's", () => {
    const sees = seesValues(["*", "substrate"]);
    const kinds = [
      "gateway.allow",
      "gateway.deny",
      "gateway.limit",
      "gateway.hold",
      "gateway.error",
      "gateway.replay",
    ];
    expect(kinds.filter(sees)).toEqual([]);
    expect(sees("gateway.server.created")).toBe(true);
  });

  it("are in lists, single entries and exports only for keys that open where they came from", async () => {
    const { feature, service } = createLedger(test.platform);
    await feature.start?.();
    const { organizationId } = test;
    const draft = (kind: string, value: string) => ({
      ...{ kind, organizationId, actor: { type: "system", id: null } as const, sealed: { value } },
    });
    await service.record(draft("substrate.action.executed", "of-substrate"));
    await service.record(draft("audit.keys.create", "of-apps"));
    for (const [scopes, values] of [
      [["*"], ["of-apps"]],
      [["substrate"], ["of-substrate"]],
      [
        ["*", "substrate"],
        ["of-apps", "of-substrate"],
      ],
    ] as const) {
      const { call } = callerOf(feature.operations, { organizationId, scopes });
      const { entries } = (await call("ledger.list", {})) as { entries: { entry: { id: string } }[] };
      const single = await Promise.all(entries.map(({ entry }) => call("ledger.get", { id: entry.id })));
      const exported = (await call("ledger.export", {})) as { body: AsyncIterable<Buffer | string> };
      let text = "";
      for await (const chunk of exported.body) text += chunk;
      for (const shown of [JSON.stringify(entries), JSON.stringify(single), text]) {
        expect(["of-apps", "of-substrate"].filter((value) => shown.includes(value))).toEqual(values);
      }
    }
    await feature.stop?.();
  });
});
