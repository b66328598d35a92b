import { expect, it } from "vitest";
import { clientAddress } from "./client-address.ts";

it("believes as many proxies as are trusted and nobody else", () => {
  expect(clientAddress("10.0.0.1", "6.6.6.6", 0)).toBe("10.0.0.1");
  expect(clientAddress("10.0.0.1", "6.6.6.6, 1.2.3.4", 1)).toBe("1.2.3.4");
  expect(clientAddress("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", 2)).toBe("1.2.3.4");
  expect(clientAddress("10.0.0.1", "1.2.3.4", 5)).toBe("1.2.3.4");
  expect(clientAddress("10.0.0.1", undefined, 1)).toBe("10.0.0.1");
});
