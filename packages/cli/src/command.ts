import { type ArgsDef, type CommandContext, type CommandDef, defineCommand } from "citty";
import { checkArguments } from "./flags.ts";
import { guarded } from "./output.ts";

/** What a command is made of. */
export interface CommandSource<T extends ArgsDef> {
  readonly name: string;
  readonly description: string;
  /** How it is called, shown with every mistake in calling it. */
  readonly usage: string;
  /** A positional with `required: true` must be there. */
  readonly args: T;
  /** Exit code of what the user can mend; default 1. */
  readonly exitCode?: number;
  run(context: CommandContext<T>): Promise<void>;
}

/** A command that takes no other flags than its own; every Problem becomes one line on standard error. */
export function command<const T extends ArgsDef>(source: CommandSource<T>): CommandDef<T> {
  const { name, description, usage, args, exitCode, run } = source;
  // Whether they are there is checked below: citty would answer with a page of usage.
  const optional = Object.fromEntries(
    Object.entries(args).map(([key, def]) => [
      key,
      def.type === "positional" ? { ...def, required: false } : def,
    ]),
  ) as T;
  return defineCommand({
    meta: { name, description },
    args: optional,
    run: (context) =>
      guarded(async () => {
        checkArguments(context.rawArgs, args, `Usage: ${usage}`);
        await run(context as unknown as CommandContext<T>);
      }, exitCode),
  }) as CommandDef<T>;
}
