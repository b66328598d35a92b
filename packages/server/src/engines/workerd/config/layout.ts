import type { Program } from "../types.ts";

/** Sockets in a program's runtime directory. workerd listens on `main` and the units' own; Ambit on the rest. */
export const SOCKETS = {
  main: "main.sock",
  ambit: "ambit.sock",
  egress: "egress.sock",
  tail: "tail.sock",
} as const;

/**
 * Request header that tells workerd the scheme clients used, so that `request.url` says it; workerd takes it out. Only
 * programs with the scheme https read it. Without it the wrappers mend the URL, which costs a function about 8 µs.
 */
export const SCHEME_HEADER = "x-ambit-scheme";

/** Name of the socket a function listens on: `fn-<index>.sock`, in the order of the functions' names. */
export function functionSocket(program: Program, name: string): string {
  const index = functionNames(program).indexOf(name);
  if (index < 0) throw new Error(`The program has no function ${JSON.stringify(name)}.`);
  return `fn-${index}.sock`;
}

/** Name of the socket a class listens on: `do-<index>.sock`, in the order of the classes' names. */
export function actorSocket(program: Program, name: string): string {
  const index = actorNames(program).indexOf(name);
  if (index < 0) throw new Error(`The program has no class ${JSON.stringify(name)}.`);
  return `do-${index}.sock`;
}

export function actorNames(program: Program): string[] {
  return program.actors.map((unit) => unit.name).sort();
}

/** Names, in the configuration, of the sockets workerd listens on. */
export function listeningSockets(program: Program): string[] {
  return [
    "main",
    ...program.actors.map((_, index) => `do-${index}`),
    ...program.functions.map((_, index) => `fn-${index}`),
  ];
}

export function functionNames(program: Program): string[] {
  return program.functions.map((unit) => unit.name).sort();
}
