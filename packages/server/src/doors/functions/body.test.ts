import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { HeldBytes, heldBody } from "./body.ts";
import { limits } from "./limits.ts";

const MIB = 1024 * 1024;
const body = (...parts: number[]) =>
  Object.assign(Readable.from(parts.map((bytes) => Buffer.alloc(bytes))), {
    headers: {},
  }) as unknown as IncomingMessage;

it("reads a body whole, and gives back what it held, also of one that is refused", async () => {
  const held = new HeldBytes();
  expect(await heldBody(body(MIB, MIB), held, "app_a")).toHaveLength(2 * MIB);
  await expect(heldBody(body(9 * MIB, 9 * MIB), held, "app_a")).rejects.toMatchObject({
    code: "REQUEST_TOO_LARGE",
  });
  expect(held.take("app_a", limits.heldBytesPerApp)).toBe(true);
});

it("refuses large bodies of an app that has many under way; small ones and other apps' pass", async () => {
  const held = new HeldBytes();
  held.take("app_a", limits.heldBytesPerApp - MIB);
  await expect(heldBody(body(MIB, MIB), held, "app_a")).rejects.toMatchObject({ code: "QUOTA_RATE_LIMIT" });
  expect(await heldBody(body(limits.freeBodyBytes), held, "app_a")).toHaveLength(limits.freeBodyBytes);
  expect(await heldBody(body(MIB, MIB), held, "app_b")).toHaveLength(2 * MIB);
  expect(held.take("app_a", MIB)).toBe(true);
  expect(held.take("app_a", 1)).toBe(false);
});
