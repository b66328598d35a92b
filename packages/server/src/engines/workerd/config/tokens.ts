import { randomBytes } from "node:crypto";
import type { Program } from "../types.ts";

/** What a process's own JavaScript knows and user code does not. Made anew for every start. */
export interface ProcessTokens {
  /** By class: marks requests of Ambit's to look into an instance. User code that finds it out gains its own storage. */
  readonly inspect: Readonly<Record<string, string>>;
  /** By class: with it the class vouches for itself outside any request. */
  readonly units: Readonly<Record<string, string>>;
}

export function newTokens(program: Program): ProcessTokens {
  const secret = () => randomBytes(24).toString("base64url");
  const byClass = () => Object.fromEntries(program.actors.map(({ name }) => [name, secret()]));
  return { inspect: byClass(), units: byClass() };
}
