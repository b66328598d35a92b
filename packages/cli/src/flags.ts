import { parseArgs } from "node:util";
import type { ArgsDef } from "citty";
import { Problem } from "./problem.ts";

/** Flags of every command that talks to a server. */
export const connectionArgs = {
  url: { type: "string", description: "MCP endpoint (AMBIT_MCP_URL)" },
  key: { type: "string", description: "API key (AMBIT_API_KEY)" },
  "data-dir": { type: "string", description: "Data directory of a server on this machine (AMBIT_DATA_DIR)" },
  person: { type: "boolean", description: "Use the person's key of the data directory" },
} as const;
export const json = { type: "boolean", description: "Print one JSON value" } as const;

/** Every value of a flag that may be given several times, which citty leaves at the last one. */
export function allOf(rawArgs: readonly string[], flag: string, what: string): string[] {
  const { values } = parseArgs({
    args: [...rawArgs],
    options: { [flag]: { type: "string", multiple: true } },
    strict: false,
  });
  const given = values[flag];
  if (!Array.isArray(given)) return [];
  return given.map((value) => {
    if (typeof value === "string" && value !== "") return value;
    throw new Problem(`--${flag} takes ${what}.`);
  });
}

/** The pairs `name=value` of a flag that may be given several times. A name alone is looked up in `env`, if given. */
export function pairsOf(
  rawArgs: readonly string[],
  flag: string,
  env?: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const pairs = allOf(rawArgs, flag, "name=value").map((pair) => {
    const at = pair.indexOf("=");
    if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)] as const;
    const value = at === -1 ? env?.[pair] : undefined;
    if (value !== undefined) return [pair, value] as const;
    const hint = env === undefined || at === 0 ? "" : `, and there is no ${pair} in this environment`;
    throw new Problem(`--${flag} takes name=value${hint}.`);
  });
  return Object.fromEntries(pairs);
}

/** What stands after `--` on the command line: a command and its arguments; null without `--`. */
export function afterDashes(argv: readonly string[] = process.argv): string[] | null {
  const at = argv.indexOf("--");
  return at === -1 ? null : argv.slice(at + 1);
}

/**
 * Throws Problem for a flag the command does not have, a flag without its value, an argument that is missing or one too
 * many. A flag that is misspelt must not count as one that was left out.
 */
export function checkArguments(rawArgs: readonly string[], defined: ArgsDef, usage: string): void {
  const positionals = Object.entries(defined).filter(([, { type }]) => type === "positional");
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const [name, { type, ...more }] of Object.entries(defined)) {
    if (type === "positional") continue;
    const alias = "alias" in more && typeof more.alias === "string" ? { short: more.alias } : {};
    options[name] = { type: type === "boolean" ? "boolean" : "string", ...alias };
  }
  const { tokens } = parseArgs({
    args: [...rawArgs],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const end = tokens.find(({ kind }) => kind === "option-terminator")?.index ?? rawArgs.length;
  let given = 0;
  for (const token of tokens) {
    if (token.index >= end) break;
    if (token.kind === "positional" && ++given > positionals.length) {
      throw new Problem(`${token.value} is one argument too many. ${usage}`);
    }
    if (token.kind !== "option") continue;
    const option = options[token.name];
    if (option === undefined) throw new Problem(`There is no flag ${token.rawName}. ${usage}`);
    if (option.type === "string" && !token.value)
      throw new Problem(`${token.rawName} takes a value. ${usage}`);
  }
  const missing = positionals.slice(given).find(([, { required }]) => required === true);
  if (missing !== undefined) throw new Problem(`<${missing[0]}> is missing. ${usage}`);
}
