import { spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { limits } from "../../packages/server/src/kernel/limits.ts";
import { apiAs } from "../support/api.ts";
import { discard, newDataDir, postgresPid, type Server, startServer } from "../support/server.ts";

const MAIN = new URL("../../packages/server/src/main.ts", import.meta.url).pathname;
let server: Server | undefined;
afterEach(async () => {
  await discard(server);
  server = undefined;
});

/** Runs Ambit to its end; what it said and how it ended. */
function runToEnd(env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN], { env: { ...process.env, ...env } });
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("exit", (code) => resolve({ code: code ?? -1, stderr }));
  });
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};

describe("starting", () => {
  it("prints where it is and both keys on the first boot, and the keys never again", async () => {
    server = await startServer();
    const first = server.output();
    for (const text of [server.apiUrl, server.mcpUrl, server.apiKey]) expect(first).toContain(text);
    expect(first.split(server.agentKey).length - 1).toBe(2);
    expect(JSON.parse(first.slice(first.indexOf("{"), first.lastIndexOf("}") + 1))).toEqual({
      mcpServers: {
        ambit: { type: "http", url: server.mcpUrl, headers: { Authorization: `Bearer ${server.agentKey}` } },
      },
    });
    const file = join(server.dataDir, "credentials.json");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(server.dataDir, "master.key")).mode & 0o777).toBe(0o600);
    const before = JSON.parse(readFileSync(file, "utf8"));

    expect(await server.stop()).toBe(0);
    server = await startServer({}, server.dataDir);
    expect(server.output()).not.toContain(server.apiKey);
    expect(server.output()).toContain(server.agentKey);
    const after = JSON.parse(readFileSync(file, "utf8"));
    expect(after).toMatchObject({
      api_key: before.api_key,
      agent_key: before.agent_key,
      api_url: server.apiUrl,
    });
    expect((await apiAs(server.apiUrl, server.apiKey)("GET", "/apps")).status).toBe(200);
  });

  it("answers on the health routes", async () => {
    server = await startServer();
    const nobody = apiAs(server.apiUrl, null);
    expect((await nobody("GET", "/health")).body).toEqual({ status: "ok", service: "ambit" });
    expect(await nobody("GET", "/health/ready")).toMatchObject({
      status: 200,
      body: { status: "ready", checks: { database: "ok" } },
    });
    expect((await nobody("GET", "/metrics")).status).toBe(401);
    expect((await apiAs(server.apiUrl, server.apiKey)("GET", "/metrics")).body).toContain(
      "ambit_operation_seconds",
    );
  });

  it("hands out the public URL and app names under the base domain", async () => {
    server = await startServer({
      AMBIT_PUBLIC_URL: "https://ambit.example/",
      AMBIT_BASE_DOMAIN: "apps.example",
      AMBIT_DEFAULT_ACCESS: "authenticated",
    });
    expect(server.mcpUrl).toBe("https://ambit.example/mcp");
    const port = /127\.0\.0\.1:(\d+)/.exec(server.output())?.[1];
    expect(port).toBeUndefined();
  });
});

describe("stopping", () => {
  it.each(["SIGTERM", "SIGINT"] as const)(
    "ends everything within 5 s on %s, also when it comes twice",
    async (signal) => {
      server = await startServer();
      const postgres = postgresPid(server.dataDir)!;
      expect(alive(postgres)).toBe(true);
      const ended = server.stop(signal);
      setTimeout(() => process.kill(server!.pid, signal), 20);
      expect(await ended).toBe(0); // 1 where its own limit had to cut it short
      expect(limits.stopMs).toBeLessThan(5_000);
      expect(alive(postgres)).toBe(false);
    },
  );

  it("ends everything when the whole process group gets the signal", async () => {
    const dataDir = newDataDir();
    const child = spawn(process.execPath, [MAIN], {
      env: { ...process.env, AMBIT_PORT: "0", AMBIT_DATA_DIR: dataDir },
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk) => {
        if (String(chunk).includes("Ambit is ready")) resolve();
      });
    });
    const postgres = postgresPid(dataDir)!;
    const exited = new Promise<number | null>((resolve) => child.on("exit", resolve));
    process.kill(-child.pid!, "SIGINT");
    expect(await exited).toBe(0);
    expect(alive(postgres)).toBe(false);
    await rm(dataDir, { recursive: true, force: true });
  });
});

describe("stopping while clients hold connections", () => {
  it("does not wait for a connection that was opened and never used", async () => {
    server = await startServer();
    const postgres = postgresPid(server.dataDir)!;
    const { hostname, port } = new URL(server.apiUrl);
    const idle = connect(Number(port), hostname);
    await new Promise((resolve) => idle.once("connect", resolve));
    expect(await server.stop()).toBe(0); // 1 where its own limit had to cut it short
    expect(alive(postgres)).toBe(false);
    idle.destroy();
  });
});

describe("bad configuration ends in one line that names the variable and the mend", () => {
  it("for values that can't be", async () => {
    const { code, stderr } = await runToEnd({ AMBIT_PORT: "many" });
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(/AMBIT_PORT must be a whole number .* Unset it for 4000/);
  });

  it("for a port that is taken, and leaves nothing running", async () => {
    const blocker = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => blocker.once("listening", resolve));
    const dataDir = newDataDir();
    const port = String((blocker.address() as { port: number }).port);
    const { code, stderr } = await runToEnd({ AMBIT_PORT: port, AMBIT_DATA_DIR: dataDir });
    blocker.close();
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(/^ambit: AMBIT_PORT \d+ is taken by another program\. Choose another port/);
    const pid = postgresPid(dataDir);
    expect(pid === null || !alive(pid)).toBe(true);
    await rm(dataDir, { recursive: true, force: true });
  });

  it("for a data directory that can't be written", async () => {
    const dataDir = newDataDir();
    writeFileSync(join(dataDir, "file"), "");
    const { code, stderr } = await runToEnd({
      AMBIT_DATA_DIR: join(dataDir, "file", "below"),
      AMBIT_PORT: "0",
    });
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(/^ambit: AMBIT_DATA_DIR can't be written .*ENOTDIR.*\. Name a directory/);
    await rm(dataDir, { recursive: true, force: true });
  });

  it("for a database that does not answer", async () => {
    const dataDir = newDataDir();
    const { code, stderr } = await runToEnd({
      AMBIT_DATA_DIR: dataDir,
      AMBIT_PORT: "0",
      DATABASE_URL: "postgres://x:y@127.0.0.1:1/z",
    });
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(
      /^ambit: DATABASE_URL does not lead to a server that answers .*ECONNREFUSED/,
    );
    expect(stderr).not.toContain("y@");
    await rm(dataDir, { recursive: true, force: true });
  });
});
