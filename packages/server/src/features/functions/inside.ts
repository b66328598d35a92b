import type { Platform } from "../../engines/platform.ts";
import type { FunctionContext } from "../../engines/workerd/headers.ts";
import type { AuthEvent } from "../auth/service.ts";
import type { EventHandler } from "../realtime/service.ts";
import { dataOf, type HeldAnswer, readAnswer } from "../runtime/service.ts";
import { type FunctionCall, type FunctionCalls, ofAmbit } from "./calls.ts";
import type { Catalogue, FunctionRoute } from "./catalogue.ts";
import { principalOfViewer } from "./viewer-principal.ts";

export interface InsideDeps {
  readonly catalogue: Catalogue;
  readonly calls: FunctionCalls;
  /** The function that the app has named for sign-ins, or null. */
  hookOf(appId: string): Promise<string | null>;
}

/** Calls that come from Ambit itself: events of sockets, hooks. */
export interface InsideCalls {
  readonly onRealtimeEvent: EventHandler;
  onAuthEvent(event: AuthEvent): Promise<void>;
  /** Sends a JSON body to a function and holds the answer. */
  send(
    route: FunctionRoute,
    trigger: FunctionContext["trigger"],
    body: unknown,
    as?: Partial<Pick<FunctionCall, "principal" | "key" | "verbose">>,
  ): Promise<HeldAnswer>;
}

/** Events that hooks are called for; the address of an account being verified is no sign-in. */
const HOOKED = new Set<AuthEvent["event"]>(["signup", "login", "oauth_login", "magic_link_login"]);

export function createInsideCalls(platform: Platform, deps: InsideDeps): InsideCalls {
  const send: InsideCalls["send"] = async (route, trigger, body, as = {}) => {
    const answer = await deps.calls.run({
      ...ofAmbit,
      verbose: false,
      ...as,
      route,
      trigger,
      path: `/fn/${route.name}`,
      headers: ["host", route.host, "content-type", "application/json"],
      body: Buffer.from(JSON.stringify(body)),
    });
    return { status: answer.status, headers: answer.headers, body: await readAnswer(answer) };
  };
  return {
    send,
    async onRealtimeEvent({ appId, viewer, name, payload }) {
      const functions = await deps.catalogue.find(appId);
      const route = functions?.byEvent.get(name);
      if (functions == null || route === undefined || functions.app.paused) return null;
      const principal = principalOfViewer(viewer, functions.app);
      const key = principal.kind === "key" ? principal : null;
      const answer = await send(route, "websocket", { event: name, payload }, { principal, key });
      return { data: dataOf(answer) };
    },
    async onAuthEvent({ appId, event, user, isNewUser, provider }) {
      if (!HOOKED.has(event)) return;
      const name = await deps.hookOf(appId);
      if (name === null) return;
      const route = (await deps.catalogue.find(appId))?.byName.get(name);
      if (route === undefined) {
        platform.log.warn(
          { app: appId, function: name },
          "the app's auth hook names a function it does not have",
        );
        return;
      }
      await send(route, "hook", { event, user, isNewUser, provider });
    },
  };
}
