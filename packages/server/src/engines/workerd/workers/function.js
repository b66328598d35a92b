import { Context } from "./function-context.js";
import { withoutOurs } from "./log-text.js";
import { answered, record, thrown } from "./logs.js";
import { entry, scheme } from "./unit.js";

/**
 * Serves a user's function: makes its `ctx`, calls it, and turns what it returns or throws into an answer.
 * @param {Record<string, unknown>} module
 */
export function serve(module) {
  const run = entryOf(module);

  async function answer(request, context) {
    try {
      const result = await run(request, context);
      const response = result instanceof Response ? result : asResponse(result);
      answered(response.status, false);
      return context.isWaiting() ? marked(response) : response;
    } catch (error) {
      thrown(error);
      answered(500, true);
      const response = failed(error, context);
      return context.isWaiting() ? marked(response) : response;
    }
  }

  return {
    fetch(request, env, execution) {
      const seen =
        scheme === "https" && request.url.startsWith("http:")
          ? new Request(`https${request.url.slice(4)}`, request)
          : request;
      return record(seen, execution, answer, new Context(seen, env, execution));
    },
  };
}

/** `handler(request, ctx)`, a default export of that shape, or Cloudflare's object with `fetch(request, env, ctx)`. */
function entryOf(module) {
  const found = module[entry];
  if (typeof found === "function") return found;
  if (typeof found?.fetch === "function")
    return (request, context) => found.fetch(request, context.env, context);
  throw new TypeError(
    `The module has no ${entry} that is a function${entry === "default" ? " or an object with fetch()" : ""}.`,
  );
}

function asResponse(value) {
  return value === undefined ? new Response(null, { status: 204 }) : Response.json(value);
}

/** Tells Ambit that work goes on. Headers of a fetched response can't be changed in place. */
function marked(response) {
  const copy = new Response(response.body, response);
  copy.headers.set("x-ambit-waiting", "1");
  return copy;
}

function failed(error, context) {
  if (!context.isVerbose()) {
    return Response.json({ error: "The function failed.", request_id: context.request.id }, { status: 500 });
  }
  return Response.json(told(error), { status: 500 });
}

/** Anything can be thrown, also what throws when looked at. */
function told(error) {
  try {
    if (!(error instanceof Error)) return { error: String(error) };
    const { message, stack } = error;
    return typeof stack === "string" ? { error: message, stack: withoutOurs(stack) } : { error: message };
  } catch {
    return { error: "Something was thrown that can't be read." };
  }
}
