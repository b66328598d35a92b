import { describe, expect, it } from "vitest";
import { readTriggers, type TriggerOrder } from "./triggers.ts";

const read = (...orders: TriggerOrder[]) => readTriggers(orders, false);
const reasonOf = (...orders: unknown[]) => {
  try {
    readTriggers(orders as TriggerOrder[], false);
    return null;
  } catch (error) {
    return (error as { details: { reason: string } }).details.reason;
  }
};

describe("readTriggers", () => {
  it("makes a function without triggers one for signed-in callers", () => {
    expect(read()).toEqual([{ type: "http", enabled: true, config: { auth: "required" } }]);
    expect(read({ type: "http" })).toEqual(read());
  });

  it("reads each kind", () => {
    expect(read({ type: "cron", config: { schedule: " 0 9 * * * ", timezone: "Asia/Tokyo" } })).toEqual([
      { type: "cron", enabled: true, config: { schedule: "0 9 * * *", timezone: "Asia/Tokyo" } },
    ]);
    expect(read({ type: "websocket", config: { event: "move" }, enabled: false })[0]).toEqual({
      type: "websocket",
      enabled: false,
      config: { event: "move" },
    });
    expect(
      read({ type: "webhook", config: { provider: "custom", secret: "s", signature_header: "X-Sig" } })[0],
    ).toEqual({
      type: "webhook",
      enabled: true,
      config: { provider: "custom", signature_header: "x-sig", idempotency_key_header: null },
      secret: "s",
    });
  });

  it("keeps a webhook's secret only when there is one", () => {
    const order: TriggerOrder = { type: "webhook", config: { provider: "github" } };
    expect(readTriggers([order], true)[0]).not.toHaveProperty("secret");
    expect(reasonOf(order)).toBe("INVALID_TRIGGER");
  });

  it("refuses what could never work, with the reason", () => {
    expect(reasonOf({ type: "http" }, { type: "http" })).toBe("DUPLICATE_TRIGGER");
    expect(reasonOf({ type: "http", config: { auth: "maybe" } })).toBe("INVALID_TRIGGER");
    expect(reasonOf({ type: "http", config: [] })).toBe("INVALID_TRIGGER");
    for (const config of [
      {},
      { schedule: "* * * *" },
      { schedule: "* * * * *", timezone: "Nowhere" },
      { schedule: 5 },
    ])
      expect(reasonOf({ type: "cron", config })).toBe("INVALID_SCHEDULE");
    for (const config of [{}, { event: "" }, { event: 1 }])
      expect(reasonOf({ type: "websocket", config })).toBe("INVALID_TRIGGER");
    for (const config of [
      { secret: "s" },
      { provider: "paypal", secret: "s" },
      { provider: "stripe", secret: "" },
      { provider: "standard", secret: "*" },
      { provider: "custom", secret: "s", signature_header: "a b" },
    ])
      expect(reasonOf({ type: "webhook", config })).toBe("INVALID_TRIGGER");
    expect(reasonOf({ type: "s3_upload" })).toBe("TRIGGER_NOT_AVAILABLE");
  });
});
