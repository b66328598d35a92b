import { describe, expect, it } from "vitest";
import { ConfigError, readConfig } from "./config.ts";

describe("readConfig", () => {
  it("has a default for everything", () => {
    expect(readConfig({}, true)).toMatchObject({
      host: "127.0.0.1",
      port: 4000,
      dataDir: "/var/lib/ambit",
      baseDomain: "localhost",
      defaultAccess: "public",
    });
    expect(readConfig({ XDG_DATA_HOME: "/data" }, false).dataDir).toBe("/data/ambit");
  });

  it.each([
    ["AMBIT_PORT", "http"],
    ["AMBIT_PORT", "70000"],
    ["AMBIT_HOST", "not a host"],
    ["AMBIT_PUBLIC_URL", "example.com"],
    ["AMBIT_PUBLIC_URL", "ftp://example.com"],
    ["AMBIT_BASE_DOMAIN", "http://example.com"],
    ["AMBIT_MASTER_KEY", "short"],
    ["AMBIT_DEFAULT_ACCESS", "everyone"],
    ["AMBIT_LOG_LEVEL", "loud"],
    ["DATABASE_URL", "mysql://localhost/x"],
    ["AMBIT_TRUSTED_PROXIES", "-1"],
    ["AMBIT_STDIO_ALLOW", "npx, ./server"],
    ["AMBIT_STDIO_ALLOW", ".."],
    ["AMBIT_REALTIME_WINDOW_MS", "10m"],
    ["AMBIT_REALTIME_WINDOW_BYTES", "1000"],
    ["AMBIT_REALTIME_WINDOW_MEMORY_BYTES", "-1"],
  ])("names %s when it is %j, in one line", (name, value) => {
    let problem: unknown;
    try {
      readConfig({ [name]: value });
    } catch (error) {
      problem = error;
    }
    expect(problem).toBeInstanceOf(ConfigError);
    expect((problem as Error).message).toMatch(new RegExp(`^${name} .+\\. .+$`));
    expect((problem as Error).message).not.toContain("\n");
  });

  it("takes the commands of MCP servers as absolute paths and bare names, and none by default", () => {
    expect(readConfig({}).stdioAllow).toEqual([]);
    expect(readConfig({ AMBIT_STDIO_ALLOW: " npx ,/usr/local/bin/a server,, " }).stdioAllow).toEqual([
      "npx",
      "/usr/local/bin/a server",
    ]);
  });

  it("takes a master key as hex and as base64", () => {
    const key = Buffer.alloc(32, 7);
    expect(readConfig({ AMBIT_MASTER_KEY: key.toString("hex") }).masterKey).toEqual(key);
    expect(readConfig({ AMBIT_MASTER_KEY: key.toString("base64") }).masterKey).toEqual(key);
  });
});
