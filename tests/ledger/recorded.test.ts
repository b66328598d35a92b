import { afterAll, beforeAll, expect, it } from "vitest";
import { composeFeatures } from "../../packages/server/src/features.ts";
import type { AnyOperation } from "../../packages/server/src/kernel/operation.ts";
import { type TestPlatform, testPlatform } from "../../packages/server/src/testing/platform.ts";

let test: TestPlatform;
let operations: readonly AnyOperation[];
beforeAll(async () => {
  test = await testPlatform();
  operations = composeFeatures(test.platform).features.flatMap((feature) => feature.operations);
});
afterAll(() => test.stop());

/** Changes without an entry `audit.<name>`, and why. */
const WITHOUT: Record<string, string> = {
  "substrate.propose": "has entries of its own, in the transaction of what it does",
  "substrate.patch_entity": "is a proposal",
  "substrate.approve": "has entries of its own",
  "substrate.reject": "has entries of its own",
  "approvals.approve": "has entries of its own",
  "approvals.reject": "has entries of its own",
  "substrate_stream.ws_ticket": "opens a stream for reading, once",
  "durable_objects.create_ticket": "opens a socket, once; what its holder may do is decided there",
  "gateway.oauth_callback":
    "keeps for the member who began what a browser was sent back with; finishing is recorded",
  "auth.oauth_begin": "sends a browser elsewhere; coming back is recorded",
};

it("every operation that changes something is recorded, or known not to be", () => {
  expect(operations.length).toBeGreaterThan(150);
  const unrecorded = operations.filter(({ risk, audit }) => risk !== "read" && audit === undefined);
  expect(unrecorded.map(({ name }) => name).sort()).toEqual(Object.keys(WITHOUT).sort());
});
