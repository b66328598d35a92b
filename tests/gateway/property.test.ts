import { type CompiledPolicy, compile, decide, type Json } from "@ambit/policy";
import { afterAll, beforeAll, expect, it } from "vitest";
import { must } from "../support/app.ts";
import { decisions, tally } from "./stand/calls.ts";
import { SEED } from "./stand/dice.ts";
import { canonical, type Made, Play } from "./stand/play.ts";
import { startUpstream, toolNamed } from "./stand/upstream.ts";
import { startWorld, type World } from "./stand/world.ts";

const STEPS = Number(process.env.AMBIT_STEPS ?? 400);
/** All that the generated documents speak of, but for one which the server does not have. */
const TOOLS = ["pay", "a/b", "til~de", "__proto__", "constructor", "toString"];

let world: World;
beforeAll(async () => {
  world = await startWorld({ nodes: 2, upstream: await startUpstream(TOOLS.map((name) => toolNamed(name))) });
});
afterAll(() => world?.close());

/** Every version as it is stored, which is as it was written, ready. */
async function compiledVersions(written: ReadonlyMap<string, object>): Promise<Map<string, CompiledPolicy>> {
  const compiled = new Map<string, CompiledPolicy>();
  for (const [name, document] of written) {
    const path = `/v1/gateway/policies/${name.replace("/", "/versions/")}`;
    const stored = must(await world.staff.owner.api("GET", path)).document;
    expect(canonical(stored), `version ${name} is what was written`).toBe(canonical(document as Json));
    compiled.set(name, compile(document));
  }
  return compiled;
}

/** What a policy says of a call: at the time it was sent, and, where a window ended meanwhile, when it was answered. */
function expectedOf({ asked, counters, fromMs, toMs }: Made, policy: CompiledPolicy) {
  return [fromMs, toMs].map((nowMs) => ({
    asks: policy.judge(asked, nowMs).outcome === "hold",
    ...decide(policy, asked, ({ key, windowStartMs }) => counters.get(`${windowStartMs} ${key}`) ?? 0, nowMs),
  }));
}

it(`nothing but a new version changes what a grant may do (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const play = new Play(world, TOOLS, SEED);
  await play.begin();
  for (let n = 0; n < STEPS; n++) await play.step();

  const compiled = await compiledVersions(play.written);
  const rows = new Map<string, any>();
  for (const { grant } of play.holders) {
    const all = await decisions(world.staff.owner.api, `&grant_id=${grant.grant_id}`);
    for (const row of all) rows.set(row.request_id, row);
  }
  const outcomes: string[] = [];
  for (const made of play.made) {
    const row = rows.get(made.told.requestId);
    outcomes.push(row.outcome);
    if (row.policy_id === null) {
      expect([row.outcome, row.rule]).toEqual(["deny", "(no policy)"]);
      continue;
    }
    const policy = compiled.get(`${row.policy_id}/${row.policy_version}`);
    expect(policy, `who decided is known: ${JSON.stringify(row)}`).toBeDefined();
    const expected = expectedOf(made, policy!);
    const fits = expected.some(({ outcome, rule, asks }) => {
      if (outcome === row.outcome && rule === row.rule) return true;
      // A call that was held goes on with what became of it, and its room is its own already.
      if (row.approval_id === null || !play.held.has(made.key)) return false;
      return asks || (outcome === "limit" && row.outcome === "allow");
    });
    expect(fits, `${JSON.stringify(row)} should be ${JSON.stringify(expected)}`).toBe(true);
  }
  const count = tally(outcomes);
  expect(Object.keys(count)).toEqual(expect.arrayContaining(["allow", "deny", "limit", "hold"]));
  expect(world.upstream.calls(), "what was allowed was sent, and nothing else").toHaveLength(count.allow!);
});
