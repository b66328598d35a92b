import type { Program } from "../types.ts";

/** Sockets in a program's runtime directory. workerd listens on `main` and the functions' own; Ambit on the rest. */
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

export function functionNames(program: Program): string[] {
  return program.functions.map((unit) => unit.name).sort();
}
