import { describe, expect, it } from "vitest";
import { heartbeat } from "./heartbeat.ts";
import { limits } from "./limits.ts";
import { reconnectDelayMs } from "./reconnect.ts";

const pulse = { reportedLsn: 5n, reportedAtMs: 100_000, heardAtMs: 100_000 };
const at = (ms: number) => 100_000 + ms;

describe("heartbeat", () => {
  it("reports a moved position soon and an unmoved one in time for the server's patience", () => {
    expect(heartbeat(pulse, 5n, at(limits.heartbeatMs - 1))).toBe("quiet");
    expect(heartbeat(pulse, 5n, at(limits.heartbeatMs))).toBe("report");
    expect(heartbeat(pulse, 6n, at(limits.reportMs - 1))).toBe("quiet");
    expect(heartbeat(pulse, 6n, at(limits.reportMs))).toBe("report");
    expect(limits.heartbeatMs * 2).toBeLessThan(limits.serverTimeoutMs);
  });

  it("asks a silent server to answer, once per report interval, and gives it up in the end", () => {
    const reported = (ms: number) => ({ ...pulse, reportedAtMs: at(ms) });
    expect(heartbeat(reported(limits.silencePingMs - 1), 5n, at(limits.silencePingMs))).toBe("quiet");
    expect(heartbeat(reported(limits.silencePingMs - limits.reportMs), 5n, at(limits.silencePingMs))).toBe(
      "ping",
    );
    expect(heartbeat(reported(limits.silenceMs - 1), 5n, at(limits.silenceMs))).toBe("dead");
  });
});

describe("reconnectDelayMs", () => {
  it("doubles from the first pause to the longest, between half and the whole of it", () => {
    expect(reconnectDelayMs(0, 0)).toBe(limits.reconnectMinMs / 2);
    expect(reconnectDelayMs(1, 0)).toBe(limits.reconnectMinMs);
    expect(reconnectDelayMs(1, 0.999_999)).toBe(limits.reconnectMinMs * 2);
    expect(reconnectDelayMs(1_000, 0.999_999)).toBe(limits.reconnectMaxMs);
  });
});
