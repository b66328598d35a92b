import { env } from "cloudflare:workers";

/**
 * The way from user code back to Ambit. The bindings are taken out of `env` before any user code runs, so nobody else
 * sees them; who calls is told by a request's id, which dies with the request, or by the class's token.
 */

const send = takeFetch("ambit:callbacks");
const sendLogs = takeFetch("ambit:logs");

function takeFetch(binding) {
  const service = env[binding];
  delete env[binding];
  return service?.fetch.bind(service);
}

/** Calls inside an app may nest this deep. */
export const MAX_LOOP_DEPTH = 4;

/** Parts of a path, before its query, that a URL's parser takes for steps; a backslash counts as a slash. */
const STEPS = /^[^?#]*[/\\](?:\.|%2e){1,2}(?:[/\\?#]|$)/i;

const IDENTITY_HEADERS = ["x-ambit-invocation", "x-ambit-unit", "x-ambit-context"];

/** What Ambit refused. */
export class AmbitError extends Error {
  constructor(code, message, status) {
    super(message);
    this.name = "AmbitError";
    this.code = code;
    this.status = status;
  }
}

/**
 * Calls a function or an instance and gives its Response, whatever its status.
 * @param {Record<string, string>} identity header that says on whose behalf
 * @param {number} depth how deep this call already is
 * @param {string} target `/fn/<name>` or `/do/<class>/<instance>`
 * @param {unknown} body objects become JSON; strings, streams, buffers and forms go as they are
 * @param {{ method?: string, headers?: HeadersInit, path?: string, signal?: AbortSignal }} [options]
 */
export function invokeUnit(identity, depth, target, body, options = {}) {
  if (depth >= MAX_LOOP_DEPTH) {
    const message = `Calls inside the app are ${depth} deep, and ${MAX_LOOP_DEPTH} is the limit. Break the circle of calls.`;
    return Promise.reject(new AmbitError("LOOP_DEPTH_EXCEEDED", message, 508));
  }
  const path = options.path ? (options.path.startsWith("/") ? options.path : `/${options.path}`) : "";
  if (target === null || STEPS.test(path)) {
    const message = 'Names and paths of calls inside the app must not be empty, "." or ".." in any part.';
    return Promise.reject(new AmbitError("INVALID_TARGET", message, 400));
  }
  const headers = new Headers(options.headers);
  // A call is on behalf of exactly one; a request's headers may be passed on as they came.
  for (const name of IDENTITY_HEADERS) headers.delete(name);
  for (const name in identity) headers.set(name, identity[name]);
  return send(`http://ambit${target}${path}`, {
    method: options.method ?? "POST",
    headers,
    body: asBody(body, headers),
    signal: options.signal,
    redirect: "manual",
  });
}

/** Sends JSON, gives JSON; throws an AmbitError when Ambit refuses. */
export async function ask(identity, path, question) {
  const response = await send(`http://ambit${path}`, {
    method: "POST",
    headers: { ...identity, "content-type": "application/json" },
    body: JSON.stringify(question, (_key, value) => (typeof value === "bigint" ? String(value) : value)),
  });
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new AmbitError(
      "INTERNAL_ERROR",
      `Ambit answered ${response.status} without JSON.`,
      response.status,
    );
  }
  if (response.ok) return answer;
  throw refusal(answer.error, response.status);
}

function refusal(error, status) {
  const message = [error?.message ?? `Ambit answered ${status}.`, error?.remediation]
    .filter(Boolean)
    .join(" ");
  const refused = new AmbitError(error?.code ?? "INTERNAL_ERROR", message, status);
  if (error?.details !== undefined) refused.details = error.details;
  return refused;
}

/** Hands over a TailBatch. */
export async function receiveLogs(batch) {
  const response = await sendLogs("http://tail/", { method: "POST", body: batch });
  await response.body?.cancel();
}

/** Path of an instance or a function for `invokeUnit`; null if a name can't stand in a path. */
export function targetOf(kind, ...names) {
  let target = `/${kind}`;
  for (const name of names) {
    const text = String(name);
    // A URL's parser would take these for steps up, and the call would go elsewhere.
    if (text === "" || text === "." || text === ".." || !text.isWellFormed()) return null;
    target += `/${encodeURIComponent(text)}`;
  }
  return target;
}

function asBody(body, headers) {
  if (body === undefined || body === null) return undefined;
  const ready =
    typeof body === "string" ||
    body instanceof ReadableStream ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof Blob ||
    body instanceof FormData ||
    body instanceof URLSearchParams;
  if (ready) return body;
  if (!headers.has("content-type")) headers.set("content-type", "application/json");
  return JSON.stringify(body);
}
