import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { discard, newDataDir, type Server, startServer } from "../support/server.ts";

const CLI = new URL("../../packages/cli/bin/ambit.js", import.meta.url).pathname;
const DEMO = new URL("../../examples/demo/demo.ts", import.meta.url).pathname;

let server: Server;
let agent: Client;
let person: Api;
beforeAll(async () => {
  server = await startServer();
  agent = await connectMcp(server.mcpUrl, server.agentKey);
  person = apiAs(server.apiUrl, server.apiKey);
});
afterAll(async () => {
  await agent?.close();
  await discard(server);
});

const propose = (capability: string, payload: object) =>
  callTool(agent, "propose_action", { capability, payload });
const substrate = (action: string, args: object = {}) =>
  callTool(agent, "manage_substrate", { action, ...args });

interface Ended {
  readonly code: number | null;
  readonly output: string;
}
/** Runs a program to its end. */
function run(args: string[], env: Record<string, string>): Promise<Ended> {
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}
const ambit = (...args: string[]) =>
  run([CLI, ...args], { AMBIT_MCP_URL: server.mcpUrl, AMBIT_API_KEY: server.agentKey });

describe("an agent keeps the organisation's memory over MCP, and a person answers for it", () => {
  let supplier: string;

  it("what needs nobody is done at once, and says so", async () => {
    const company = { type: "company", display_name: "Linden Paper", primary_email: "office@linden.example" };
    const made = await propose("upsert_entity", company);
    expect(made).toMatchObject({
      verdict: { result: "auto_approved", conflicts: [] },
      requires_approval: false,
      result: { was_insert: true },
    });
    supplier = made.result.entity_id;
    const decision = { title: "Suppliers are paid weekly", kind: "operational", rationale: "Better prices." };
    expect((await propose("record_decision", decision)).result.decision_id).toMatch(/^dec_/);
    const owed = {
      description: "Paper for May",
      status: "confirmed",
      to_entity: supplier,
      amount: 400,
      unit: "EUR",
    };
    expect((await propose("record_commitment", owed)).verdict.result).toBe("auto_approved");
    expect((await callTool(agent, "get_entity", { entity_id: supplier })).display_name).toBe("Linden Paper");
  });

  it("a principle waits until a person approves it, whatever the agent tries", async () => {
    const proposed = await propose("record_principle", {
      title: "Above 1,000 EUR a person decides",
      applies_to: { capability: "record_commitment" },
      constraint_spec: { type: "approval_above", params: { field: "amount", threshold: 1000 } },
    });
    expect(proposed).toMatchObject({ verdict: { result: "requires_approval" }, requires_approval: true });
    expect(proposed.approval_url).toBe(`${server.apiUrl}/approve/${proposed.approval_id}`);
    const { action_id } = proposed;
    await expect(callTool(agent, "approve_action", { action_id })).rejects.toThrow("AUTH_PERSON_REQUIRED");
    await expect(
      callTool(agent, "manage_approvals", { action: "approve", approval_id: proposed.approval_id }),
    ).rejects.toThrow("AUTH_PERSON_REQUIRED");
    expect((await substrate("list_principles")).principles).toEqual([]);
    const path = `/v1/me/substrate/actions/${action_id}`;
    expect(must(await person("POST", `${path}/approve`, {})).status).toBe("executed");
    expect(await person("POST", `${path}/approve`, {})).toMatchObject({
      status: 409,
      body: { error: { code: "wrong_status" } },
    });
    expect((await substrate("list_principles")).principles).toHaveLength(1);
  });

  it("what the principle is about waits now, and the agent is told why it was refused", async () => {
    const order = { description: "Paper for a year", status: "proposed", to_entity: supplier, unit: "EUR" };
    expect((await propose("record_commitment", { ...order, amount: 1000 })).requires_approval).toBe(false);
    const held = await propose("record_commitment", { ...order, amount: 2500 });
    expect(held.requires_approval).toBe(true);
    expect(held.verdict.reason).toContain("Above 1,000 EUR a person decides");
    expect(held.verdict.conflicts).toHaveLength(1);
    const shown = must(await person("GET", `/v1/approvals/${held.approval_id}`));
    expect([shown.request.payload.amount, shown.requester.type]).toEqual([2500, "agent"]);
    must(
      await person("POST", `/v1/me/substrate/actions/${held.action_id}/reject`, { reason: "An offer first" }),
    );
    expect(await substrate("get_action", { action_id: held.action_id })).toMatchObject({
      ...{ status: "rejected", rejected_reason: "An offer first", changes: [] },
    });
    expect((await substrate("list_memory", { kinds: "commitments" })).results).toHaveLength(2);
  });

  it("search finds the decision by a word that is misspelt", async () => {
    expect((await callTool(agent, "search_memory", { q: "suppliers weekly" })).results[0].kind).toBe(
      "decision",
    );
    const misspelt = { q: "supliers weekly", kinds: "decisions" };
    const endAt = Date.now() + 10_000;
    let found = await callTool(agent, "search_memory", misspelt);
    // Words are known for this a few seconds after they were written.
    while (found.results.length === 0 && Date.now() < endAt) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      found = await callTool(agent, "search_memory", misspelt);
    }
    expect(found.results.map(({ title }: any) => title)).toEqual(["Suppliers are paid weekly"]);
    expect(found.corrections).toEqual({ supliers: ["suppliers"] });
  });

  it("the ledger has all of it, and one altered byte is found without the server", async () => {
    const { entries } = await callTool(agent, "manage_ledger", { action: "list", limit: 100 });
    const kinds = entries
      .map(({ entry }: any) => entry.kind)
      .filter((kind: string) => !kind.startsWith("audit."));
    expect(kinds.reverse()).toEqual([
      ...Array(3).fill("substrate.action.executed"),
      ...["approval.requested", "substrate.action.proposed"],
      ...["approval.approved", "substrate.action.executed", "approval.executed"],
      "substrate.action.executed",
      ...["approval.requested", "substrate.action.proposed"],
      ...["approval.rejected", "substrate.action.rejected"],
    ]);
    const [file, key, note] = ["ledger.jsonl", "ledger.pub", "kept.note"].map((name) =>
      join(server.dataDir, name),
    ) as [string, string, string];
    const exported = await ambit("ledger", "export", "-o", file);
    expect(exported.code, exported.output).toBe(0);
    writeFileSync(key, (await ambit("ledger", "key")).output);
    writeFileSync(note, (await ambit("ledger", "checkpoint")).output);
    const verify = ["ledger", "verify", file, "--public-key", key, "--checkpoint", note];
    // It is verified where there is no server.
    const nowhere = { AMBIT_MCP_URL: "http://127.0.0.1:1/mcp", AMBIT_API_KEY: "" };
    const genuine = await run([CLI, ...verify], nowhere);
    expect([genuine.code, genuine.output]).toEqual([0, expect.stringContaining(`${entries.length} entries`)]);

    const text = readFileSync(file, "utf8");
    for (const [from, to] of [
      ['"amount":2500', '"amount":9500'],
      ["substrate.action.rejected", "substrate.action.rejectee"],
      [supplier, `${supplier.slice(0, -1)}${supplier.endsWith("0") ? "1" : "0"}`],
    ] as const) {
      expect(text).toContain(from);
      writeFileSync(file, text.replace(from, to));
      const forged = await run([CLI, ...verify], nowhere);
      const line = text.slice(0, text.indexOf(from)).split("\n").length;
      const { i } = JSON.parse(text.split("\n")[line - 1]!);
      expect([from, forged.code, forged.output]).toEqual([
        from,
        1,
        expect.stringMatching(RegExp(`\\bentry ${i}\\b`, "i")),
      ]);
    }
  });
});

it("the demo plays all of it, and sees what it should", async () => {
  const dataDir = newDataDir();
  const played = await run([DEMO, "--once"], { AMBIT_DATA_DIR: dataDir, AMBIT_PORT: "0" });
  await rm(dataDir, { recursive: true, force: true });
  expect(played.code, played.output).toBe(0);
  expect(played.output).not.toContain("✗");
  for (const line of [
    "Everyone saw exactly what they may see.",
    "✓ all three are done at once: auto_approved",
    "✓ it waits for a person: http://",
    "✓ the agent can't say yes to itself",
    "✓ a person says no, and the agent reads why: “Ask for an offer first”",
    "✓ finds what was meant: “Demo suppliers are paid weekly”",
    "✓ with one digit altered it is not: Entry ",
    "Everything as expected.",
  ]) {
    expect(played.output).toContain(line);
  }
}, 60_000);
