import { expect, it } from "vitest";
import { errors } from "./errors.ts";
import { createGate } from "./gate.ts";

const refusal = () => errors.QUOTA_RATE_LIMIT();

const later = () => new Promise((resolve) => setImmediate(resolve));

it("lets so many in at once, the others in order, and turns the rest away", async () => {
  const gate = createGate({ inside: 2, waiting: 2, refusal });
  const leave: (() => void)[] = [];
  const entered: number[] = [];
  const visit = (number: number, key = "app") =>
    gate.run(key, () => {
      entered.push(number);
      return new Promise<number>((resolve) => leave.push(() => resolve(number)));
    });
  const visits = [visit(1), visit(2), visit(3), visit(4)];
  await expect(visit(5)).rejects.toMatchObject({ code: "QUOTA_RATE_LIMIT" });
  const elsewhere = visit(6, "other");
  expect(entered).toEqual([1, 2, 6]);
  leave[0]!();
  await later();
  expect(entered).toEqual([1, 2, 6, 3]);
  for (let n = 1; n < 5; n++) {
    await later();
    leave[n]!();
  }
  expect(await Promise.all([...visits, elsewhere])).toEqual([1, 2, 3, 4, 6]);
});

it("is left also by work that fails", async () => {
  const gate = createGate({ inside: 1, waiting: 1, refusal });
  await expect(gate.run("app", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await gate.run("app", async () => "yes")).toBe("yes");
});
