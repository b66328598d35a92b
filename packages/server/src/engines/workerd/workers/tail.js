import { count, drop, FLUSH_MS, take } from "./tail-batch.js";
import { receive } from "./tail-event.js";

/**
 * Receives what every run of a class logged and threw, and hands it to Ambit in batches. Runs with nothing to tell
 * are only counted.
 */

let waiting = false;

export default {
  tail(items, env, ctx) {
    const unit = ctx.props.unit;
    for (const item of items) {
      try {
        receive(unit, item);
      } catch {
        // A run that can't be read must not cost the ones after it.
        count(unit, "other", "unreadable");
        drop(unit);
      }
    }
    if (waiting) return;
    waiting = true;
    ctx.waitUntil(flushLater(env));
  },
};

async function flushLater(env) {
  await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
  waiting = false;
  try {
    const response = await env.ambit.fetch("http://tail/", { method: "POST", body: take() });
    await response.body?.cancel();
  } catch {
    // Ambit is gone or starts again; logs are no reason to fail.
  }
}
