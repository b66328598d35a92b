import { limits } from "./limits.ts";

const KEBAB = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** Whether a class or function may have this name: it is part of URLs, host paths and headers. */
export function isKebabName(name: string): boolean {
  return name.length <= limits.nameChars && KEBAB.test(name);
}

/**
 * The URL name of a class: `ChatRoom` → `chat-room`, `HTTPCache2` → `http-cache2`. A kebab name for every class name
 * that begins with a letter, once `_` and `$` are taken as word breaks; else an empty string.
 */
export function kebabOf(className: string): string {
  const words = className
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
  const name = words.join("-");
  return isKebabName(name) ? name : "";
}

/** What the other classes of an app call the namespace in `env`: `chat-room` → `CHAT_ROOM`. */
export function bindingOf(kebabName: string): string {
  return kebabName.replaceAll("-", "_").toUpperCase();
}
