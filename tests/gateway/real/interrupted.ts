import type { Place } from "../../support/gateway.ts";
import type { Wire } from "./transcript.ts";

/** Reads a stream's messages until `stop` says so, or its end; the last event's id too. */
async function read(response: Response, stop: (messages: Wire[]) => boolean) {
  const messages: Wire[] = [];
  let lastEventId = "";
  let text = "";
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
    const events = text.split("\n\n");
    text = events.pop()!;
    for (const event of events) {
      const field = (name: string) => event.match(new RegExp(`^${name}: ?(.*)$`, "m"))?.[1] ?? "";
      if (field("id") !== "") lastEventId = field("id");
      if (field("data") !== "") messages.push(JSON.parse(field("data")));
    }
    if (stop(messages)) break;
  }
  await reader.cancel();
  return { messages, lastEventId };
}

/** A call whose stream the client loses in the middle, and takes up again. */
export async function interrupted(place: Place): Promise<Wire[]> {
  const headers: Record<string, string> = {
    accept: "application/json, text/event-stream",
    "content-type": "application/json",
    ...(place.token === undefined ? {} : { authorization: `Bearer ${place.token}` }),
  };
  const post = (message: object, signal?: AbortSignal) =>
    fetch(place.proxy_url, {
      ...{ method: "POST", headers, body: JSON.stringify({ jsonrpc: "2.0", ...message }) },
      ...(signal === undefined ? {} : { signal }),
    });
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "raw", version: "1" },
  };
  const opened = await post({ id: 0, method: "initialize", params });
  await opened.text();
  headers["mcp-session-id"] = opened.headers.get("mcp-session-id")!;
  headers["mcp-protocol-version"] = "2025-11-25";
  await post({ method: "notifications/initialized" });
  const call = {
    ...{ name: "trigger-long-running-operation", arguments: { duration: 1, steps: 10 } },
    _meta: { progressToken: "p" },
  };
  const lost = new AbortController();
  const begun = await post({ id: 1, method: "tools/call", params: call }, lost.signal);
  const first = await read(begun, (messages) => messages.length === 3);
  lost.abort();
  // The server tells again what it said meanwhile, and no more than that.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const again = await fetch(place.proxy_url, {
    headers: { ...headers, "last-event-id": first.lastEventId },
  });
  const rest = await read(again, (messages) => messages.some(({ id }) => id === 1));
  await fetch(place.proxy_url, { method: "DELETE", headers });
  return [...first.messages, ...rest.messages];
}
