import { bindingOf, isKebabName } from "../../engines/workerd/source/index.ts";
import { ENV_NAME, isReservedEnv } from "../../kernel/env-names.ts";
import { invalid } from "./errors.ts";
import { limits } from "./limits.ts";

export const ACCESS_MODES = ["public", "authenticated", "service_key"] as const;
/** Who may reach the instances of a class. */
export type AccessMode = (typeof ACCESS_MODES)[number];

/** Throws VALIDATION_ERROR for a name a class can't have. */
export function checkName(name: string): void {
  if (!isKebabName(name)) {
    throw invalid(
      "INVALID_NAME",
      `${JSON.stringify(name.slice(0, 80))} is not a name for a class.`,
      "Use kebab-case: lower-case letters, digits and single hyphens, beginning with a letter, not too long; for example chat-room.",
    );
  }
  if (name === "env") {
    throw invalid(
      "INVALID_NAME",
      "A class can't be called env: /durable-objects/env is where variables are.",
      "Choose another name.",
    );
  }
  if (isReservedEnv(bindingOf(name))) {
    throw invalid(
      "INVALID_NAME",
      `The namespace of ${name} would be called ${bindingOf(name)}; names like that are set by the server.`,
      "Choose a name that does not begin with butterbase- or ambit-.",
    );
  }
}

/** What is wrong with the name of an instance, decoded, or null. Pure. */
export function instanceNameProblem(name: string): string | null {
  const fits = name !== "" && Buffer.byteLength(name) <= limits.instanceNameBytes;
  if (fits && !name.includes("\0") && name.isWellFormed()) return null;
  return `An instance's name has 1 to ${limits.instanceNameBytes} bytes and no null character.`;
}

/** The access mode that was asked for; throws VALIDATION_ERROR for one that does not exist. */
export function readAccessMode(text: string): AccessMode {
  const mode = ACCESS_MODES.find((each) => each === text);
  if (mode !== undefined) return mode;
  throw invalid(
    "INVALID_ACCESS_MODE",
    `${JSON.stringify(text.slice(0, 80))} is not an access mode.`,
    `Use one of ${ACCESS_MODES.join(", ")}.`,
  );
}

/** The one of two modes that lets fewer callers in. Pure. */
export const stricter = (a: AccessMode, b: AccessMode): AccessMode =>
  ACCESS_MODES.indexOf(a) > ACCESS_MODES.indexOf(b) ? a : b;

/** Throws VALIDATION_ERROR for a key a variable can't have. */
export function checkEnvKey(key: string): void {
  if (!ENV_NAME.test(key)) {
    throw invalid(
      "INVALID_ENV_KEY",
      `${JSON.stringify(key.slice(0, 80))} is not a name for a variable.`,
      "Use up to 128 letters, digits and underscores, not beginning with a digit.",
    );
  }
  if (isReservedEnv(key)) {
    throw invalid("RESERVED_ENV_KEY", `${key} is set by the server.`, "Choose a name without that prefix.");
  }
}

/** Throws VALIDATION_ERROR when a variable is called like the namespace of one of the classes. */
export function checkCollision(keys: Iterable<string>, names: readonly string[]): void {
  const bindings = new Map(names.map((name) => [bindingOf(name), name]));
  for (const key of keys) {
    const name = bindings.get(key);
    if (name === undefined) continue;
    throw invalid(
      "ENV_BINDING_COLLISION",
      `The variable ${key} has the name under which classes reach the class ${name}.`,
      "Rename the variable or the class.",
      { key, name },
    );
  }
}
