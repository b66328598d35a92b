import { createHash } from "node:crypto";
import { bindingOf } from "../../engines/workerd/source/index.ts";
import type { ActorUnit, Program } from "../../engines/workerd/types.ts";
import { limits } from "./limits.ts";
import type { ServingRow } from "./store.ts";

/** What a program is made of, all secrets opened. */
export interface ProgramParts {
  readonly appId: string;
  readonly publicUrl: string;
  readonly classes: readonly ServingRow[];
  /** Variables of the app, then those of its classes, which win. */
  readonly appEnv: Readonly<Record<string, string>>;
  readonly classEnv: Readonly<Record<string, string>>;
  readonly logs: boolean;
}

/** The process that runs these classes. Pure: equal parts give equal revisions, on every node. */
export function buildProgram(parts: ProgramParts): Program {
  const env = environmentOf(parts);
  const actors: ActorUnit[] = parts.classes.map((each) => ({
    name: each.name,
    className: each.class_name,
    binding: bindingOf(each.name),
    uniqueKey: each.id,
    code: each.compiled,
    env,
  }));
  const program = {
    appId: parts.appId,
    kind: "actors" as const,
    actors,
    functions: [],
    scheme: parts.publicUrl.startsWith("https:") ? ("https" as const) : ("http" as const),
    memoryBytes: limits.memoryBytes,
    logs: parts.logs,
  };
  return { ...program, revision: createHash("sha256").update(JSON.stringify(program)).digest("hex") };
}

/** What every class finds in `env`, apart from the namespaces of the app's classes, whose names are kept free. */
function environmentOf({ classes, appEnv, classEnv }: ProgramParts): Record<string, string> {
  const env: Record<string, string> = { ...appEnv, ...classEnv };
  // A variable of the app may come to be called like a class after that was deployed: the class stays reachable.
  for (const { name } of classes) delete env[bindingOf(name)];
  return env;
}
