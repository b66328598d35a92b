import type { Attack } from "../support/attack.ts";
import { type InternalServer, startInternalServer } from "../support/internal-server.ts";
import { toolServer } from "../support/tool-server.ts";

/** One address of this machine, as texts that a list of forbidden words does not know. */
const urlsOf = (port: number): readonly string[] =>
  ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.1"].map(
    (host) => `http://${host}:${port}/latest/credentials`,
  );

export default {
  name: "inner-address",
  title: "Registering an inner address",
  what: "Who may register servers names one of the inner network, in a spelling that hides it. The gateway, which may reach it, is to ask there.",
  class: "ssrf",
  policy: null,
  harm: "an internal service is asked",
  stop: {
    by: "addresses are looked up and checked, at registration and for each connection",
    decision: null,
    refusal: "EXTERNAL_ADDRESS_REFUSED",
  },
  async upstream() {
    const world = await startInternalServer();
    const handler = toolServer([{ name: "read", run: () => "ok" }]);
    return { world, reached: { over: "http", handler }, close: () => world.close() };
  },
  async run({ ambit, refused }, { port }) {
    for (const url of urlsOf(port)) {
      if (ambit === null) {
        await fetch(url).catch(() => {});
        continue;
      }
      const name = `inner ${port} ${new URL(url).hostname} ${url.length}`;
      const { status, json } = await ambit.agentKey("POST", "/v1/gateway/servers", {
        name,
        transport: "http",
        url,
      });
      if (status === 201) {
        const { server_id } = json as { server_id: string };
        await ambit.person("POST", `/v1/gateway/servers/${server_id}/scan`, {});
      } else refused((json as { error: { code: string } }).error.code);
      // A server that is registered already is not led there either.
      await ambit.person("PATCH", `/v1/gateway/servers/${ambit.serverId}`, { url });
    }
    await ambit?.person("POST", `/v1/gateway/servers/${ambit.serverId}/scan`, {});
  },
  succeeded: ({ requests }) => requests.length > 0,
} satisfies Attack<InternalServer>;
