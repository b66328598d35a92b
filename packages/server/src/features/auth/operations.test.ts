import { expect, it } from "vitest";
import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { systemClock } from "../../kernel/clock.ts";
import { createLog } from "../../kernel/log.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { createAuth } from "./index.ts";

const log = createLog("silent");
const platform = { log, clock: systemClock, metrics: new Metrics() } as Platform;
const { feature } = createAuth(platform, { apps: { onChange() {} } as never, mail: {} as never });

it("declares operations that every door can describe", () => {
  for (const { name, input, output, errors } of feature.operations) {
    expect(z.toJSONSchema(input, { io: "input" }), name).toMatchObject({ type: "object" });
    expect(z.toJSONSchema(output, { io: "output" }), name).toMatchObject({ type: "object" });
    for (const code of errors ?? []) expect(feature.errors, `${name}: ${code}`).toHaveProperty(code);
  }
  const names = feature.operations.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

it("offers the tools with the arguments clients send", () => {
  const argumentsOf = (tool: string) => [
    ...new Set(
      feature.operations
        .filter(({ mcp }) => mcp?.tool === tool)
        .flatMap(({ input }) => Object.keys(input.shape)),
    ),
  ];
  const actionsOf = (tool: string) =>
    feature.operations.filter(({ mcp }) => mcp?.tool === tool).map(({ mcp }) => mcp!.action);
  expect(actionsOf("manage_oauth")).toEqual(["configure", "get", "update", "delete"]);
  expect(argumentsOf("manage_oauth")).toEqual(
    expect.arrayContaining(
      "app_id provider client_id client_secret redirect_uris scopes authorization_url token_url userinfo_url provider_metadata".split(
        " ",
      ),
    ),
  );
  expect(actionsOf("manage_auth_users")).toEqual(["list", "delete"]);
  expect(argumentsOf("manage_auth_users").sort()).toEqual(["app_id", "cursor", "limit", "user_id"]);
  expect(actionsOf("manage_auth_config")).toEqual(["update_jwt", "configure_auth_hook", "update_settings"]);
  expect(argumentsOf("manage_auth_config")).toEqual(
    expect.arrayContaining(["accessTokenTtl", "refreshTokenTtlDays", "post_auth_function"]),
  );
});

it("keeps every secret out of the audit log", () => {
  const secret = /password|token$|^token|code$|secret|^state$/i;
  for (const { name, input, secretFields } of feature.operations) {
    const fields = Object.keys(input.shape).filter((field) => secret.test(field));
    expect(secretFields ?? [], name).toEqual(
      expect.arrayContaining(fields.filter((field) => field !== "token_url")),
    );
  }
});
