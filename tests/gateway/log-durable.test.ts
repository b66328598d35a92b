import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { discard } from "../support/server.ts";
import { verifiedLedger } from "../support/substrate.ts";
import { call, decisions, type Told } from "./stand/calls.ts";
import { type Mortal, startMortal } from "./stand/crash.ts";
import { answers, startUpstream, toolNamed, type Upstream } from "./stand/upstream.ts";
import { ASKS, allowing, limitOf } from "./stand/world.ts";

let upstream: Upstream;
let mortal: Mortal;

beforeAll(async () => {
  upstream = await startUpstream(["echo", "hidden", "few", "asks", "fails"].map((name) => toolNamed(name)));
  upstream.on("fails", answers.status(502));
  mortal = await startMortal(upstream);
});
afterAll(async () => {
  await discard(mortal?.server);
  await upstream?.close();
});

const owner = () => apiAs(mortal.server.apiUrl, mortal.server.apiKey);

it("what was answered is on disk: kill -9 of Ambit and of Postgres right after the answer", {
  timeout: 90_000,
}, async () => {
  const document = allowing(
    { few: { limits: [limitOf("few", 1)] }, asks: ASKS, echo: { limits: [limitOf("echo", 1_000)] } },
    { hide: ["hidden"] },
  );
  const { at, grant_id } = await mortal.grant(document);
  const held = await call(at(), "asks", { n: 0 });
  must(await owner()("POST", `/v1/approvals/${held.decision.approval_id}/approve`, {}));
  expect((await call(at(), "asks", { n: 0 })).outcome).toBe("allow");
  expect((await call(at(), "few")).outcome).toBe("allow");

  const expected = new Map<string, string>();
  const seen = new Set<string>();
  for (const [round, wanted] of [8, 1, 3].entries()) {
    const sent: [string, () => Promise<Told>][] = [
      ["allow", () => call(at(), "echo", { round })],
      ["deny", () => call(at(), "hidden")],
      ["limit", () => call(at(), "few")],
      ["hold", () => call(at(), "asks", { n: round + 1 })],
      ["replay", () => call(at(), "asks", { n: 0 })],
      ["error", () => call(at(), "fails")],
      ["error", () => call(at(), "echo", { round }, { requestState: "ambit.forged" })],
      ["allow", () => call(at(), "echo", { round, again: true }, { era: "stateless" })],
    ];
    const answered: Told[] = [];
    let killed = false;
    const turned = [...sent.slice(round), ...sent.slice(0, round)];
    await Promise.all(
      turned.map(async ([outcome, make], turn) => {
        // One after the other, so that what is written with others is written alone as well.
        await sleep(round % 2 === 0 ? 0 : turn * 15);
        const told = await make().catch(() => null);
        if (told === null || (killed && told.text.includes("not answering"))) return;
        expect(told.outcome, told.text).toBe(outcome);
        answered.push(told);
        expected.set(told.requestId, outcome);
        seen.add(outcome);
        if (answered.length !== wanted) return;
        killed = true;
        mortal.killAll();
      }),
    );
    expect(answered.length).toBeGreaterThanOrEqual(wanted);
    await mortal.restart();
    const rows = await decisions(owner(), `&grant_id=${grant_id}`);
    const found = Map.groupBy(rows, ({ request_id }) => request_id as string);
    for (const [id, outcome] of expected) {
      expect(found.get(id)?.map((row) => row.outcome) ?? [], `round ${round}: ${outcome} ${id}`).toContain(
        outcome,
      );
    }
    const reserved = must(await owner()("GET", `/v1/gateway/grants/${grant_id}`)).used;
    const counted = reserved.find((each: any) => each.counter === "echo/day")?.used ?? 0;
    const allowed = rows.filter((row) => row.tool === "echo" && row.outcome === "allow").length;
    expect(counted, "no call is recorded whose quota was forgotten").toBeGreaterThanOrEqual(allowed);
  }
  expect([...seen].sort()).toEqual(["allow", "deny", "error", "hold", "limit", "replay"]);
  const entries = await verifiedLedger(owner());
  const ids = new Set(
    entries.filter(({ kind }) => kind.startsWith("gateway.")).map(({ data }) => data.request_id),
  );
  for (const id of expected.keys()) expect(ids).toContain(id);
});
