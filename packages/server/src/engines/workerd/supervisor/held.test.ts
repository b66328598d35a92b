import { describe, expect, it } from "vitest";
import { limits } from "../limits.ts";
import { Held, unavailable } from "./held.ts";

describe("Held", () => {
  it("lets all go on, or refuses all", async () => {
    const held = new Held();
    const waiting = [held.wait(), held.wait()];
    held.release();
    await Promise.all(waiting);
    const refused = held.wait();
    held.refuse(unavailable(2_500));
    await expect(refused).rejects.toMatchObject({
      code: "RUNTIME_UNAVAILABLE",
      headers: { "Retry-After": "3" },
    });
    expect(held.size).toBe(0);
  });

  it("keeps nobody for longer than its time", async () => {
    await expect(new Held(20).wait()).rejects.toMatchObject({ status: 503 });
  });

  it("takes no more than its number", async () => {
    const held = new Held();
    const waiting = Array.from({ length: limits.held }, () => held.wait());
    await expect(held.wait()).rejects.toMatchObject({ code: "RUNTIME_BUSY" });
    held.release();
    await Promise.all(waiting);
  });
});
