import type { z } from "zod";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { DocumentProblem } from "./document.ts";
import { schemaErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Gathers everything that is wrong with a document, so that one answer tells all of it. */
export class Problems {
  readonly list: DocumentProblem[] = [];

  /** `path` are the steps from the document's root; they become a JSON pointer (RFC 6901). */
  add(path: readonly PropertyKey[], message: string, code?: "reserved"): void {
    this.list.push({ pointer: pointerOf(path), message, ...(code === undefined ? {} : { code }) });
  }

  /** Adds `message` unless it is null. */
  addIf(path: readonly PropertyKey[], message: string | null): void {
    if (message !== null) this.add(path, message);
  }

  /**
   * The value as the shape reads it, with the problems noted. Fields that do not fit are left out, so that the rest
   * can be looked at too; undefined when it does not fit even then.
   */
  read<S extends z.ZodObject>(
    shape: S,
    value: unknown,
    path: readonly PropertyKey[],
  ): z.infer<S> | undefined {
    const parsed = shape.safeParse(value);
    if (parsed.success) return parsed.data;
    const wrong = new Set<PropertyKey>();
    for (const issue of parsed.error.issues) {
      const unknown = issue.code === "unrecognized_keys" ? issue.keys : [];
      for (const key of unknown)
        this.add([...path, ...issue.path, key], unknownField(key, issue.path, shape));
      if (unknown.length === 0) this.add([...path, ...issue.path], issue.message);
      for (const key of [issue.path[0] ?? unknown].flat()) wrong.add(key);
    }
    if (typeof value !== "object" || value === null) return undefined;
    const rest = shape.safeParse(
      Object.fromEntries(Object.entries(value).filter(([key]) => !wrong.has(key))),
    );
    return rest.success ? rest.data : undefined;
  }

  /** The error to throw; null when nothing is wrong. */
  error(): AmbitError | null {
    if (this.list.length === 0) return null;
    const shown = this.list.slice(0, limits.problems).map(({ pointer, message }) => ({ pointer, message }));
    const message = shown.map((problem) => `${problem.pointer}: ${problem.message}`).join("\n");
    if (this.list.every(({ code }) => code === "reserved")) {
      return schemaErrors.VALIDATION_RESERVED_TABLE({ message, details: shown });
    }
    return errors.VALIDATION_INVALID_SCHEMA({ message, details: shown });
  }
}

const pointerOf = (path: readonly PropertyKey[]): string =>
  path.map((step) => `/${String(step).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

const unknownField = (key: string, path: readonly PropertyKey[], shape: z.ZodObject): string =>
  `"${key}" is unknown here${path.length === 0 ? `; known are ${Object.keys(shape.shape).join(", ")}` : ""}.`;
