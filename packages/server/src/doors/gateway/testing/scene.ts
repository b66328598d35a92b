import { afterEach, beforeEach } from "vitest";
import { callOf, post, repeats, stateless } from "./requests.ts";
import { type Stand, startStand } from "./stand.ts";
import { TestUpstream } from "./test-upstream.ts";

/** The door and what is behind it, anew for each test of the file that imports this. */
export let upstream: TestUpstream;
export let stand: Stand;
beforeEach(async () => {
  upstream = new TestUpstream();
  stand = await startStand({ upstream });
});
afterEach(() => stand.stop());

export const call = (name = "echo", args: object = { text: "hi" }) =>
  stateless("tools/call", callOf(name, args));
export const send = (body: unknown, headers: Record<string, string> = {}, init: RequestInit = {}) =>
  post(stand.proxyUrl, body, headers, init);
export const sendCall = (name = "echo", args?: object) => send(call(name, args), repeats("tools/call", name));
/** How the last call ended, as the judge was told. */
export const lastEnd = () => stand.gateway.ends.at(-1)?.end;
