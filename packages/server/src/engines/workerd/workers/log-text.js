/** Bounds of what one run may put into the logs, and how text is brought within them. */

const OURS = /^\s+at (?:.* )?\(?ambit\/[\w-]+\.js:/;

export const MAX_LINES = 100;
export const MAX_LINE_CHARS = 4096;
export const MAX_EXCEPTIONS = 10;
export const MAX_STACK_CHARS = 8192;
const MAX_PATH_CHARS = 2048;

export function cut(text, limit) {
  return text.length <= limit ? text : `${text.slice(0, limit)}… (${text.length - limit} more characters)`;
}

/** Frames of the wrappers tell a developer nothing. */
export function withoutOurs(stack) {
  if (!stack.includes("ambit/")) return stack;
  const lines = stack.split("\n");
  return lines.filter((line) => !OURS.test(line)).join("\n");
}

/** Path of a URL without its query. */
export function pathOf(url) {
  const start = url.indexOf("/", 8);
  const end = url.indexOf("?", start);
  return url.slice(start < 0 ? url.length : start, end < 0 ? undefined : end).slice(0, MAX_PATH_CHARS);
}

/** An exception as TailEvent has it; the stack is without the line that repeats the message. */
export function exceptionOf(name, message, stack, atMs) {
  return {
    name: cut(String(name ?? "Error"), 200),
    message: cut(String(message ?? ""), MAX_LINE_CHARS),
    stack: stack ? cut(withoutOurs(String(stack)), MAX_STACK_CHARS) : null,
    atMs,
  };
}

/** Stands in a run's lines for those that were too many. */
export function omitted(count, atMs) {
  return { level: "warn", message: `${count} more lines were dropped.`, atMs };
}
