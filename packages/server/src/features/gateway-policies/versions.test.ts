import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { calls, documents } from "../../../../policy/src/testing/generate.ts";
import { newUuid } from "../../kernel/ids.ts";
import { type Node, type PolicyStand, policyStand } from "./testing/stand.ts";

let stand: PolicyStand;
let nodes: Node[];
let reader: Node;
let serverId: string;
beforeAll(async () => {
  stand = await policyStand();
  nodes = [stand, stand.node()];
  reader = stand.node();
  serverId = await stand.server();
});
afterAll(() => stand.stop());

const NOW_MS = Date.UTC(2026, 5, 7, 8, 9, 10);

describe("no change of what a policy decides without a new version", () => {
  const edit = fc.record({
    node: fc.nat(1),
    /** Few documents, so that the same one comes again; an index into them. */
    which: fc.nat(3),
    indent: fc.constantFrom(null, 0, 2),
    isExpected: fc.constantFrom(true, true, false),
  });

  it("whoever edits what, on two nodes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(documents, { minLength: 4, maxLength: 4 }),
        fc.array(edit, { maxLength: 8 }),
        fc.array(calls, { minLength: 1, maxLength: 12 }),
        async (pool, edits, made) => {
          const by = { organizationId: stand.organizationId, accountId: newUuid(), keyId: newUuid() };
          const server = (await stand.servers.find(serverId))!;
          const { policyId } = await stand.policies.create(
            by,
            server,
            { name: newUuid(), document: pool[0] },
            NOW_MS,
          );
          /** What was decided while a version held. */
          const decided = new Map<number, string>();
          const look = async () => {
            const seen: number[] = [];
            for (const { policies } of nodes) {
              const { version, compiled } = (await policies.current(policyId))!;
              const decisions = JSON.stringify(made.map((call) => compiled.judge(call, NOW_MS)));
              expect(decided.get(version) ?? decisions).toBe(decisions);
              decided.set(version, decisions);
              seen.push(version);
            }
            return seen;
          };
          let holds = 1;
          expect(await look()).toEqual([1, 1]);
          for (const { node, which, indent, isExpected } of edits) {
            const document = indent === null ? pool[which] : JSON.stringify(pool[which], null, indent);
            const expectedVersion = isExpected ? holds : holds + 1;
            const written = await nodes[node]!.policies.update(
              by,
              policyId,
              { document, expectedVersion },
              NOW_MS,
            ).catch((error) => error.code);
            if (isExpected) {
              expect([holds, holds + 1]).toContain(written.version);
              holds = written.version;
            } else expect(written).toBe("GATEWAY_POLICY_CHANGED");
            expect((await look())[node]).toBe(holds);
          }
          for (const [version, decisions] of decided) {
            const { compiled } = (await reader.policies.version(policyId, version))!;
            expect(JSON.stringify(made.map((call) => compiled.judge(call, NOW_MS)))).toBe(decisions);
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});
