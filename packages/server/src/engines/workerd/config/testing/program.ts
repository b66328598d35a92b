import type { ActorUnit, FunctionUnit, Program } from "../../types.ts";

/** A program of classes, by name: code alone or with whatever else differs from the usual. */
export function actorProgram(
  classes: Record<string, string | (Partial<ActorUnit> & { code: string })>,
  more: Partial<Program> = {},
): Program {
  const actors = Object.entries(classes).map(([name, given]) => {
    const unit = typeof given === "string" ? { code: given } : given;
    const className = name.replace(/(^|-)([a-z])/g, (_all, _dash, letter: string) => letter.toUpperCase());
    const binding = name.replaceAll("-", "_").toUpperCase();
    return { name, className, binding, uniqueKey: `key-${name}`, env: {}, ...unit };
  });
  return { ...empty, kind: "actors", actors, ...more };
}

/** A program of functions, by name. */
export function functionProgram(
  functions: Record<string, string | (Partial<FunctionUnit> & { code: string })>,
  more: Partial<Program> = {},
): Program {
  const units = Object.entries(functions).map(([name, given]) => {
    const unit = typeof given === "string" ? { code: given } : given;
    return { name, entry: "handler" as const, env: {}, ...unit };
  });
  return { ...empty, kind: "functions", functions: units, ...more };
}

const empty: Program = {
  appId: "app_test",
  kind: "actors",
  revision: "1",
  actors: [],
  functions: [],
  scheme: "http",
  memoryBytes: 256 * 1024 * 1024,
  logs: true,
};
