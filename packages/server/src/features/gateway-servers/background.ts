import type { Log } from "../../kernel/log.ts";
import { createTicker, type Ticker } from "../../kernel/ticker.ts";
import { limits } from "./limits.ts";
import type { Looks } from "./looks.ts";
import type { Registry } from "./registry.ts";
import type { Upstreams } from "./upstreams.ts";

/** Learns what other nodes have changed, and looks again at servers whose tools may have. */
export function createBackground(
  log: Log,
  deps: { readonly registry: Registry; readonly upstreams: Upstreams; readonly looks: Looks },
): Pick<Ticker, "start" | "stop"> {
  const { registry, upstreams, looks } = deps;
  const again = async (serverId: string) => {
    const entry = await registry.find(serverId);
    if (entry === null) looks.forget(serverId);
    else await looks.look(entry);
  };
  const ticker = createTicker({
    name: "gateway.servers",
    everyMs: limits.tickMs,
    log,
    async run(signal) {
      await registry.watch(upstreams.openIds());
      // A look may take long, and what others changed must not wait for it: looks are begun here, not awaited.
      for (const serverId of looks.due()) {
        again(serverId).catch((error) => {
          if (!signal.aborted) log.info({ err: error, serverId }, "an MCP server's tools were not listed");
        });
      }
    },
  });
  upstreams.onToolsChanged((serverId) => {
    looks.changed(serverId);
    ticker.wake();
  });
  return ticker;
}
