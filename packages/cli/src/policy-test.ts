import { compile, PolicyInvalid } from "@ambit/policy";
import { command } from "./command.ts";
import { json } from "./flags.ts";
import { readText } from "./input.ts";
import { limits } from "./limits.ts";
import { print, printJson, visible } from "./output.ts";
import { casesIn, type JudgedCase, judgeCases } from "./policy-cases.ts";
import { Problem } from "./problem.ts";
import { listIn } from "./values.ts";

/** `ambit policy test`: whether a policy decides as a file of cases expects, without a server. */
export const test = command({
  name: "test",
  description: "Judge a file of cases by a policy, without a server",
  usage: "ambit policy test <file> <cases>",
  args: {
    file: { type: "positional", description: "The policy; - reads standard input", required: true },
    cases: { type: "positional", description: "JSON: a list of cases, or one a line", required: true },
    json,
  },
  exitCode: 2,
  async run({ args }) {
    if (args.file === "-" && args.cases === "-")
      throw new Problem("Only one of the two can be standard input.");
    const policy = compiled(await readText(args.file, limits.policyFileBytes), args.file);
    const cases = casesIn(listIn(await readText(args.cases, limits.dataFileBytes), args.cases));
    if (cases.length === 0) throw new Problem(`${args.cases} has no cases.`);
    const judged = judgeCases(policy, cases);
    const failing = judged.filter(({ passes }) => !passes);
    if (args.json) printJson({ ok: failing.length === 0, cases: judged.map(shownCase) });
    else {
      for (const [at, each] of judged.entries()) if (!each.passes) print(lineOf(each, at));
      print(
        failing.length === 0
          ? `ok: ${judged.length} cases`
          : `${failing.length} of ${judged.length} cases fail`,
      );
    }
    if (failing.length > 0) process.exitCode = 1;
  },
});

function compiled(text: string, file: string) {
  try {
    return compile({ text });
  } catch (error) {
    if (!(error instanceof PolicyInvalid)) throw error;
    throw new Problem(`${visible(error.message)}. All of it: ambit policy validate ${file}`);
  }
}

const by = (rule: string | null) => (rule ? ` by ${rule}` : "");

function lineOf({ given, decision }: JudgedCase, at: number): string {
  const { name, tool, expect, rule } = given;
  const which = `case ${at + 1}${name === null ? "" : ` "${name}"`}, ${tool}`;
  const told = decision.message === null ? "" : `: ${decision.message}`;
  return visible(
    `${which}: expected ${expect}${by(rule)}, the policy says ${decision.outcome}${by(decision.rule)}${told}`,
  );
}

const shownCase = ({ given, decision, passes }: JudgedCase, index: number) => ({
  ...{ index, name: given.name, tool: given.tool, passes },
  expected: { outcome: given.expect, rule: given.rule },
  ...{ outcome: decision.outcome, rule: decision.rule, message: decision.message },
  ...(decision.retryAfterS === undefined ? {} : { retry_after_s: decision.retryAfterS }),
});
