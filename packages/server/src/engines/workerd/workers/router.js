import { env } from "cloudflare:workers";
import { inspectorSecret, scheme } from "./unit.js";

/**
 * Front of a program: finds the instance a request is for and hands the request over as it is. It runs once per
 * request to an actor, so it reads the URL by position and allocates next to nothing.
 */

/** Namespaces by the class's name in URLs; a Map, so that `constructor` is no class. */
const classes = new Map(Object.entries(env));
const ACTORS = "/_do/";
const INSPECT = "/_ambit/inspect/";

export default {
  /** @param {Request} request */
  fetch(request) {
    const url = request.url;
    const start = url.indexOf("/", 8);
    if (url.startsWith(ACTORS, start)) return toActor(request, url, start + ACTORS.length);
    if (url.startsWith(INSPECT, start)) return toInspector(request, url.slice(start + INSPECT.length));
    if (url.startsWith("/_ambit/health", start)) return new Response("ok");
    return unknown();
  },
};

/** `<class>/<instance>[/rest][?query]` from `at` on. */
function toActor(request, url, at) {
  const nameEnd = url.indexOf("/", at);
  const namespace = nameEnd < 0 ? undefined : classes.get(url.slice(at, nameEnd));
  if (namespace === undefined) return unknown();
  const query = url.indexOf("?", nameEnd);
  const end = query < 0 ? url.length : query;
  const slash = url.indexOf("/", nameEnd + 1);
  const instance = decode(url.slice(nameEnd + 1, slash < 0 || slash > end ? end : slash));
  if (!instance) return unknown();
  const stub = namespace.getByName(instance);
  // With a scheme of its own the request is only told another URL: body, headers and upgrade stay.
  const answer =
    scheme === "https" && url.startsWith("http:")
      ? stub.fetch(`https${url.slice(4)}`, request)
      : stub.fetch(request);
  return answer.catch((error) => failed(request, error));
}

/** Text of a percent-encoded path segment; null if it is no UTF-8. */
function decode(segment) {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** Only Ambit asks here: `<class>/(name|id)/<instance>`. The class's wrapper answers. */
async function toInspector(request, path) {
  const [name, how, instance = ""] = path.split("/");
  const namespace = classes.get(name);
  if (namespace === undefined) return unknown();
  const given = decode(instance);
  if (!given || (how !== "name" && how !== "id"))
    return problem(400, "INVALID_INSTANCE", "No such instance.");
  let stub;
  try {
    stub = how === "id" ? namespace.get(namespace.idFromString(given)) : namespace.getByName(given);
  } catch {
    return problem(400, "INVALID_INSTANCE", "The id is not one of this class.");
  }
  try {
    return await stub.fetch("https://ambit.internal/inspect", {
      method: "REPORT",
      headers: { "x-ambit-inspect": inspectorSecret },
      body: await request.text(),
    });
  } catch (error) {
    return problem(500, "ACTOR_EXCEPTION", String(error?.message ?? error));
  }
}

function unknown() {
  return new Response("unknown DO", { status: 404 });
}

/** What the class threw is for its developer: others are told only that it did. */
function failed(request, error) {
  const developer = request.headers.get("x-butterbase-caller-type") === "service_key";
  const message = developer ? String(error?.message ?? error) : "The app's code failed on this request.";
  return problem(500, "ACTOR_EXCEPTION", message);
}

function problem(status, code, message) {
  const remediation = "The developer finds the exception with its line in the logs of the class.";
  return Response.json({ error: { code, message, remediation } }, { status });
}
