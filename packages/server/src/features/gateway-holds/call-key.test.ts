import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Secrets } from "../../kernel/secrets.ts";
import { callKeyOf } from "./call-key.ts";
import { openState, sealState } from "./request-state.ts";
import type { CallReference } from "./types.ts";

const secrets = new Secrets(randomBytes(32));
const CALL: CallReference = { grantId: "gra_1", serverId: "s", tool: "pay", args: { amount: 1, to: "bob" } };
const keyOf = (change: Partial<CallReference> = {}) => callKeyOf(secrets, { ...CALL, ...change });

describe("the key of a call", () => {
  it("is the same for the same call, however it is written", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [one, two] = [
          { a, b },
          { b, a },
        ].map((args) => JSON.parse(JSON.stringify(args)));
        expect(keyOf({ args: one })).toBe(keyOf({ args: two }));
      }),
      { seed: 11, numRuns: 200 },
    );
    expect(keyOf({ args: { n: 1 } })).toBe(keyOf({ args: { n: 1.0 } }));
    expect(keyOf({ args: { n: -0 } })).toBe(keyOf({ args: { n: 0 } }));
  });

  it("is another for anything else", () => {
    const keys = [
      keyOf(),
      keyOf({ grantId: "gra_2" }),
      keyOf({ serverId: "t" }),
      keyOf({ tool: "Pay" }),
      keyOf({ args: { amount: "1", to: "bob" } }),
      keyOf({ args: { amount: 1, to: "bob", more: null } }),
      keyOf({ args: JSON.parse('{"amount":1,"to":"bob","__proto__":{}}') }),
      keyOf({ args: { amount: [1], to: "bob" } }),
      callKeyOf(new Secrets(randomBytes(32)), CALL),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("tells nothing to those who guess the arguments", () => {
    const text = JSON.stringify({ args: CALL.args, grant: "gra_1", server: "s", tool: "pay" });
    const plain = createHash("sha256").update(text);
    expect(keyOf()).not.toBe(plain.digest("base64url"));
  });

  it("is none for what can't be written exactly", () => {
    const deep = JSON.parse(`${'{"a":'.repeat(500)}1${"}".repeat(500)}`);
    for (const args of [{ text: "\ud800" }, { "\udfff": 1 }, deep]) {
      expect(() => keyOf({ args })).toThrow(expect.objectContaining({ code: "GATEWAY_CALL_NOT_HOLDABLE" }));
    }
  });
});

describe("a sealed state", () => {
  it("opens for its call, in its time, and not once it was touched", () => {
    const state = { approvalId: "apr_1", nonce: "n", expiresAtMs: 1_000 };
    const sealed = sealState(secrets, keyOf(), state);
    expect(openState(secrets, keyOf(), sealed, 999)).toEqual(state);
    expect(openState(secrets, keyOf(), sealed, 1_000)).toBe(null);
    expect(openState(secrets, keyOf({ args: {} }), sealed, 0)).toBe(null);
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), fc.constantFrom(..."ABCyz019-_.= é"), (at, other) => {
        const forged = sealed.slice(0, at) + other + sealed.slice(at + 1);
        const bytes = (text: string) =>
          text.split(".").map((part) => Buffer.from(part, "base64url").toString("hex"));
        const opened = openState(secrets, keyOf(), forged, 0);
        // The last character of a part may have bits that mean nothing.
        const same = forged.startsWith("v1.") && String(bytes(forged)) === String(bytes(sealed));
        expect(opened).toEqual(same ? state : null);
      }),
      { seed: 13, numRuns: 500 },
    );
  });
});
