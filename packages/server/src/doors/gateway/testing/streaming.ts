import type { UpstreamListener, UpstreamRequest } from "../../../engines/upstream/types.ts";
import { callOf, legacy, repeats, stateless } from "./requests.ts";
import { send, stand, upstream } from "./scene.ts";
import { TOKEN } from "./stand.ts";
import { answersWith } from "./test-upstream.ts";

export const note = (n: number, more = {}) =>
  JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params: { n, ...more } });
export const RESULT = '{"jsonrpc":"2.0","id":$id,"result":{"content":[]}}';
export const sendCall = (init: RequestInit = {}) =>
  send(stateless("tools/call", callOf("echo")), repeats("tools/call", "echo"), init);

/** Opens a session, as its client would. */
export async function session(token = TOKEN, upstreamSession = "up-1"): Promise<string> {
  const before = upstream.onSend;
  upstream.onSend = answersWith({ protocolVersion: "2025-11-25" }, 200, upstreamSession);
  const answer = await send(legacy("initialize", { protocolVersion: "2025-11-25" }), {
    authorization: `Bearer ${token}`,
  });
  upstream.onSend = before;
  await answer.text();
  return answer.headers.get("mcp-session-id")!;
}

export const listen = (sessionId: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  fetch(stand.proxyUrl, {
    headers: { authorization: `Bearer ${TOKEN}`, "mcp-session-id": sessionId, ...headers },
    ...init,
  });

/** An upstream that answers when the test says so. */
export function held() {
  let now!: { request: UpstreamRequest; listener: UpstreamListener };
  const { promise, resolve } = Promise.withResolvers<typeof now>();
  upstream.onSend = (request, listener) => {
    now = { request, listener };
    request.signal.addEventListener("abort", () =>
      listener.onFailure({ kind: "broken", status: null, ran: "maybe", message: "cancelled" }),
    );
    resolve(now);
  };
  return promise;
}
