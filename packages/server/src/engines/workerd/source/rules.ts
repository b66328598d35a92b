import { limits } from "./limits.ts";
import type { Locate } from "./locate.ts";
import type { ModuleExport } from "./module-exports.ts";
import { RefusedSource } from "./source-error.ts";

const CLASS_NAME = /^[A-Za-z_$][A-Za-z0-9_$]*$/;
const ONE_CLASS = "Write export class ChatRoom { async fetch(request) { … } } and export no other value.";

/** The name under which a Durable Object's file exports its one class. Helpers stay inside the file; types may leave. */
export function actorClass(exports: readonly ModuleExport[], locate: Locate): string {
  const byDefault = exports.find((item) => item.name === "default");
  if (byDefault !== undefined)
    throw new RefusedSource(
      "EXPORT_DEFAULT_NOT_SUPPORTED",
      locate(byDefault.start),
      "a Durable Object has no default export",
      "Export the class by its name instead: export class ChatRoom { … }.",
    );
  const classes = exports.filter((item) => item.kind === "class");
  const [only, second] = classes;
  if (only === undefined)
    throw new RefusedSource(
      "NO_EXPORTED_CLASS",
      exports[0] === undefined ? null : locate(exports[0].start),
      "the file exports no class",
      ONE_CLASS,
    );
  if (second !== undefined)
    throw new RefusedSource(
      "MULTIPLE_EXPORTED_CLASSES",
      locate(second.start),
      `the file exports ${classes.length} classes (${listed(classes)})`,
      "Export exactly one; deploy every other class as a Durable Object of its own.",
    );
  const extra = exports.find((item) => item !== only);
  if (extra !== undefined)
    throw new RefusedSource(
      "EXTRA_EXPORT",
      locate(extra.start),
      `${JSON.stringify(extra.name)} is exported beside the class`,
      "Remove the word export before it; only the class and types can be exported.",
    );
  if (!CLASS_NAME.test(only.name) || only.name.length > limits.classNameChars)
    throw new RefusedSource(
      "INVALID_CLASS_NAME",
      locate(only.start),
      "the class can't have this name",
      `Use ASCII letters, digits and underscores, at most ${limits.classNameChars}: ChatRoom.`,
    );
  return only.name;
}

/** Which export of a function's file answers: `handler` if there is one, else the default export. */
export function functionEntry(exports: readonly ModuleExport[], locate: Locate): "handler" | "default" {
  const entry =
    exports.find((item) => item.name === "handler") ?? exports.find((item) => item.name === "default");
  const remedy = "Write export async function handler(request, ctx) { return new Response('ok'); }.";
  if (entry === undefined)
    throw new RefusedSource("NO_HANDLER", null, "the file exports neither handler nor a default", remedy);
  const fits = entry.kind === "function" || entry.kind === "unknown";
  if (fits || (entry.name === "default" && entry.kind === "fetcher"))
    return entry.name === "handler" ? "handler" : "default";
  const needed = entry.name === "handler" ? "a function" : "a function or an object with fetch";
  throw new RefusedSource(
    "NO_HANDLER",
    locate(entry.start),
    `the export ${entry.name} is not ${needed}`,
    remedy,
  );
}

function listed(classes: readonly ModuleExport[]): string {
  const shown = classes.slice(0, 5).map((item) => item.name.slice(0, 60));
  return classes.length > shown.length ? `${shown.join(", ")}, …` : shown.join(", ");
}
