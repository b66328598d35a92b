import { expect, it } from "vitest";
import { archiveSchema } from "./archive.ts";
import { instanceOperations } from "./instance-operations.ts";
import { limits } from "./limits.ts";
import { classOperations } from "./operations.ts";
import { runtimeOperations } from "./runtime-operations.ts";
import type { ActorParts } from "./service.ts";

const parts = {} as ActorParts;
const operations = [...classOperations(parts), ...instanceOperations(parts), ...runtimeOperations(parts)];

it("keeps the compatible tool's eight actions with their arguments", () => {
  const tool = operations.filter(({ mcp }) => mcp?.tool === "manage_durable_objects");
  const fields = ({ input }: (typeof tool)[number]) => Object.keys(input.shape).join(" ");
  expect(Object.fromEntries(tool.map((each) => [each.mcp!.action, fields(each)]))).toEqual({
    deploy: "app_id name code access_mode",
    list: "app_id",
    get: "app_id name",
    delete: "app_id name",
    usage: "app_id name",
    list_env: "app_id",
    set_env: "app_id key value",
    delete_env: "app_id key",
  });
});

it("lets only owners write into storage, and developers change classes", () => {
  const rights = Object.fromEntries(operations.map(({ name, right }) => [name.split(".")[1], right]));
  for (const action of ["write_storage", "import_instance"]) expect(rights[action]).toBe("own");
  for (const { name, risk, right } of operations)
    if (risk !== "read" && right === "view") expect.fail(`${name} changes something`);
});

it("reads the largest archive", () => {
  const data = Buffer.alloc(limits.archiveBytes, 7).toString("base64");
  const archive = {
    ...{
      format: "ambit-durable-object-instance",
      version: 1,
      class_name: "A",
      id: "0".repeat(64),
      name: null,
    },
    ...{ alarm_ns: null, exported_at: "", sha256: "0".repeat(64), data },
  };
  expect(archiveSchema.safeParse(archive).success).toBe(true);
  for (const alarm_ns of ["9223372036854775808", "x", "-1"])
    expect(archiveSchema.safeParse({ ...archive, data: "", alarm_ns }).success).toBe(false);
});
