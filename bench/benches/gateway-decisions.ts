import { compile } from "@ambit/policy";
import type { BenchContext } from "../harness/bench.ts";
import { median } from "../harness/statistics.ts";

const TOOLS = 100;
const CALLS = 20_000;
const REPEATS = 15;

/** The judge alone: no I/O, a policy of 100 tools, each with rules and a limit. */
export async function measureDecisions({ report }: BenchContext): Promise<void> {
  const tools = Object.fromEntries(Array.from({ length: TOOLS }, (_, at) => [`tool_${at}`, toolOf(at)]));
  const policy = compile({
    ...{ version: "1", default: "deny", hide: ["drop_everything"], tools },
    all_tools: { limits: [{ counter: "all", window: "hour", max: 1_000_000, scope: "grant" }] },
  });
  const calls = Array.from({ length: TOOLS }, (_, at) => ({
    tool: `tool_${at}`,
    args: { path: `/srv/data/${at}`, amount: at, urls: ["https://example.com/a", "https://example.com/b"] },
    ...{ grantId: "gra_1", sessionId: null, serverId: "srv_1", tool_state: "approved" as const },
  }));
  const now = Date.UTC(2026, 0, 1);
  const once = () => {
    let allowed = 0;
    const from = performance.now();
    for (let at = 0; at < CALLS; at += 1) {
      if (policy.judge(calls[at % TOOLS]!, now).outcome === "allow") allowed += 1;
    }
    if (allowed !== CALLS) throw new Error(`${CALLS - allowed} calls were not allowed`);
    return ((performance.now() - from) * 1_000) / CALLS;
  };
  once();
  const value = median(Array.from({ length: REPEATS }, once));
  report(
    {
      ...{ measure: "gateway.decision", value, unit: "µs", target: { of: "value", bound: "≤", number: 5 } },
      conditions: `a compiled policy of ${TOOLS} tools, each with two rules of three predicates (one a regular expression, one over a list) and a limit, one more limit over all; calls of every tool by turns, all allowed; median of ${REPEATS} times ${CALLS} calls`,
    },
    "",
  );
}

const toolOf = (at: number) => ({
  require: [
    {
      conditions: [
        { path: "args.path", op: "regex" as const, value: "^/srv/" },
        { path: "args.amount", op: "lte" as const, value: 1_000 },
      ],
    },
  ],
  deny_if: [{ conditions: [{ path: "args.urls.*", op: "contains" as const, value: "evil.example" }] }],
  limits: [{ counter: `tool_${at}`, window: "minute" as const, max: 1_000_000, scope: "grant" as const }],
});
