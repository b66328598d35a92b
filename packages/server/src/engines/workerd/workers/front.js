import { env } from "cloudflare:workers";
import { begin, crashed } from "./logs.js";
import { binding, inspectorSecret, name, scheme } from "./unit.js";

/**
 * The front of one class, on the class's own socket and in its own isolate: finds the instance a request is for and
 * hands the request over as it is. It runs once per request, so it reads the URL by position and allocates next to
 * nothing. It is loaded before the user's module, which could take its namespace away.
 */

const namespace = env[binding];
const ACTORS = `/_do/${name}/`;
const INSPECT = `/_ambit/inspect/${name}/`;

export const front = {
  /** @param {Request} request */
  fetch(request, _env, execution) {
    const url = request.url;
    const start = url.indexOf("/", 8);
    if (url.startsWith(ACTORS, start)) return toActor(request, execution, url, start + ACTORS.length);
    if (url.startsWith(INSPECT, start)) return toInspector(request, url.slice(start + INSPECT.length));
    return unknown();
  },
};

/** `<instance>[/rest][?query]` from `at` on. */
function toActor(request, execution, url, at) {
  const query = url.indexOf("?", at);
  const end = query < 0 ? url.length : query;
  const slash = url.indexOf("/", at);
  const instance = decode(url.slice(at, slash < 0 || slash > end ? end : slash));
  if (!instance) return unknown();
  begin(execution);
  const stub = namespace.getByName(instance);
  // With a scheme of its own the request is only told another URL: body, headers and upgrade stay.
  const answer =
    scheme === "https" && url.startsWith("http:")
      ? stub.fetch(`https${url.slice(4)}`, request)
      : stub.fetch(request);
  return answer.catch((error) => {
    crashed(request, execution, error);
    return failed(request, error);
  });
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

/** Only Ambit asks here: `(name|id)/<instance>`. The class's wrapper answers. */
async function toInspector(request, path) {
  const [how, instance = ""] = path.split("/");
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
