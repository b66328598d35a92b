import { expect, it } from "vitest";
import type { Platform } from "../../engines/platform.ts";
import { lifecycleOperations } from "./operations.ts";
import type { AppsService } from "./service.ts";

const init = lifecycleOperations({} as Platform, {} as AppsService, async () => new Map()).find(
  ({ name }) => name === "apps.init",
)!;
const nameOf = (name: string): string | undefined => init.input.safeParse({ name }).data?.name;

it("makes a name of what people write", () => {
  expect(nameOf("  My Notes! ")).toBe("my-notes");
  expect(nameOf("_a--b_")).toBe("a--b_");
  for (const nothing of ["", "--", "ééé"]) expect(nameOf(nothing)).toBeUndefined();
  expect(nameOf("x".repeat(64))).toBeUndefined();
});

it("is done with a long name at once", () => {
  const started = performance.now();
  expect(nameOf(`a${"-".repeat(50_000)}b`)).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(500);
});
