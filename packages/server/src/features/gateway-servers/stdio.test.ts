import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Caller } from "../../testing/caller.ts";
import { type Node, openStand, type Stand } from "./testing/stand.ts";

let stand: Stand;
let node: Node;
let caller: Caller;
const program = fileURLToPath(new URL("testing/program.ts", import.meta.url));
const everything = fileURLToPath(
  import.meta.resolve("@modelcontextprotocol/server-everything/dist/index.js"),
);
const SECRET = "postgres://user:secret-value@host/db";

interface Started {
  readonly pid: number;
  readonly args: string[];
  readonly env: Record<string, string>;
}

beforeAll(async () => {
  stand = await openStand();
  node = stand.node({ stdioAllow: ["node"] }, { path: process.execPath.replace(/\/node$/, "") });
});
afterAll(() => stand.stop());
beforeEach(async () => {
  caller = node.caller(await stand.organization());
});
const add = (over: Record<string, unknown> = {}) =>
  caller.call<{ server_id: string }>("gateway.add_server", {
    ...{ name: "program", transport: "stdio", command: "node", args: [program], ...over },
  });
const scan = (server_id: string) =>
  caller.call<{ tools: { name: string; state: string }[] }>("gateway.scan_server", { server_id });
/** How the program of a server says it was started. */
async function startedAs(server_id: string): Promise<Started> {
  await scan(server_id);
  const [tool] = await node.service.tools((await node.service.find(server_id))!);
  return (tool as unknown as { _meta: { started: Started } })._meta.started;
}
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("programs", () => {
  it("are only those that the operator allows, by a message that names the variable", async () => {
    for (const command of ["/bin/sh", "sh", "./node", "nodejs", process.execPath, "node "]) {
      await expect(add({ command })).rejects.toMatchObject({
        code: "GATEWAY_COMMAND_NOT_ALLOWED",
        message: expect.stringContaining("AMBIT_STDIO_ALLOW"),
      });
    }
    const { server_id } = await add();
    await expect(
      caller.call("gateway.update_server", { server_id, command: "/bin/sh" }),
    ).rejects.toMatchObject({ code: "GATEWAY_COMMAND_NOT_ALLOWED" });
  });

  it("are not started any more on a node whose operator does not allow them", async () => {
    const { server_id } = await add();
    const strict = stand.node({ stdioAllow: [] });
    const server = (await strict.service.find(server_id))!;
    await expect(strict.service.upstream(server)).rejects.toMatchObject({
      code: "GATEWAY_COMMAND_NOT_ALLOWED",
    });
    await expect(strict.service.toolState(server, "started")).rejects.toMatchObject({
      code: "GATEWAY_COMMAND_NOT_ALLOWED",
    });
  });

  it("run with the arguments and variables they were given, sealed, and end with their registration", async () => {
    const { server_id } = await add({
      args: [program, `--url=\${DATABASE_URL}`, "$HOME"],
      env: { DATABASE_URL: SECRET, MODE: "one" },
    });
    const first = await startedAs(server_id);
    expect(first.args).toEqual([`--url=${SECRET}`, "$HOME"]);
    expect(first.env).toMatchObject({ DATABASE_URL: SECRET, MODE: "one" });
    expect(Object.keys(first.env).filter((name) => /AMBIT|BUTTERBASE|VITEST|NODE_/.test(name))).toEqual([]);
    const shown = await caller.call("gateway.get_server", { server_id });
    expect(shown).toMatchObject({ env_names: ["DATABASE_URL", "MODE"], connection: { reachable: true } });
    const rows = await stand.test.platform.database.query("select * from ambit.gateway_servers");
    expect(JSON.stringify([shown, rows, caller.audited])).not.toContain("secret-value");

    await caller.call("gateway.update_server", { server_id, name: "renamed" });
    expect((await startedAs(server_id)).pid).toBe(first.pid);
    await caller.call("gateway.update_server", { server_id, env: { DATABASE_URL: SECRET, MODE: "two" } });
    const second = await startedAs(server_id);
    expect(second).toMatchObject({ env: { MODE: "two" } });
    expect(second.pid).not.toBe(first.pid);
    await expect.poll(() => isAlive(first.pid), { timeout: 5_000 }).toBe(false);
    await caller.call("gateway.delete_server", { server_id });
    await expect.poll(() => isAlive(second.pid), { timeout: 5_000 }).toBe(false);
  });

  it("that others wrote are looked at like any server", async () => {
    const { server_id } = await add({ args: [everything, "stdio"] });
    const { tools } = await scan(server_id);
    expect(tools.map(({ name }) => name)).toContain("echo");
    expect(tools.every(({ state }) => state === "approved")).toBe(true);
    const server = (await node.service.find(server_id))!;
    expect(node.service.peekToolState(server, "echo")).toBe("approved");
    expect(node.service.peekToolState(server, "other")).toBe("changed");
  });
});
