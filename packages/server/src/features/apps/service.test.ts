import { afterAll, beforeAll, expect, it } from "vitest";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());

it("loses none of several changes made at once", async () => {
  const { id } = await test.createApp();
  const names = Array.from({ length: 8 }, (_, i) => `NAME_${i}`);
  await Promise.all(
    names.map((name) => test.apps.change(id, ({ env }) => ({ env: { ...env, [name]: "value" } }))),
  );
  expect(Object.keys((await test.apps.config(id)).env).sort()).toEqual(names);
});

it("changes nothing when the decision refuses, nor an app that is not there", async () => {
  const { id } = await test.createApp();
  const refusal = new Error("no");
  await expect(
    test.apps.change(id, () => {
      throw refusal;
    }),
  ).rejects.toBe(refusal);
  expect((await test.apps.config(id)).env).toEqual({});
  await expect(test.apps.change("app_none", () => ({}))).rejects.toMatchObject({
    code: "RESOURCE_NOT_FOUND",
  });
});

it("finds no app under a name that Postgres could not hold", async () => {
  expect(await test.apps.find("app_\0")).toBeNull();
  expect(await test.apps.find("~\0")).toBeNull();
});
