import { expect, it } from "vitest";
import { Metrics } from "../kernel/metrics.ts";
import type { KeyPrincipal } from "../kernel/principal.ts";
import { createRateLimit } from "../kernel/rate-limit.ts";
import { createPrincipalResolver } from "./principal.ts";

it("turns away an address that tries bad keys, and never a good key from there", async () => {
  const good = { kind: "key", keyId: "good" } as KeyPrincipal;
  const resolve = createPrincipalResolver({
    resolveKey: async (token) => (token === "bb_sk_good" ? good : null),
    verifyAccessToken: () => Promise.reject(new Error("no token was sent")),
    badKeys: createRateLimit({ name: "bad_keys", points: 3, windowS: 60 }, new Metrics()),
  });
  const codes = [];
  for (let tries = 0; tries < 5; tries++) {
    codes.push(await resolve(`Bearer bb_sk_${tries}`, null, "10.0.0.1").catch(({ code }) => code));
  }
  expect(codes).toEqual([...Array(3).fill("AUTH_INVALID_API_KEY"), ...Array(2).fill("QUOTA_RATE_LIMIT")]);
  expect(await resolve("Bearer bb_sk_good", null, "10.0.0.1")).toBe(good);
});
