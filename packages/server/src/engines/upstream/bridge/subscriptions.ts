import { asObject, SUBSCRIPTION_ID } from "../channel/messages.ts";
import type { Message, UpstreamListener } from "../types.ts";

/** What a server with sessions can be heard to say, and how a subscription names it. */
const KINDS = [
  { name: "toolsListChanged", capability: "tools", method: "notifications/tools/list_changed" },
  { name: "promptsListChanged", capability: "prompts", method: "notifications/prompts/list_changed" },
  { name: "resourcesListChanged", capability: "resources", method: "notifications/resources/list_changed" },
] as const;

/** Streams of `subscriptions/listen`, fed from the shared session. */
export interface Subscriptions {
  /** Opens one; false when there are too many. */
  open(request: Message, capabilities: Message, listener: UpstreamListener, signal: AbortSignal): boolean;
  publish(notification: Message): void;
  /** The server is gone: the streams end, and clients open others. */
  endAll(): void;
  readonly size: number;
}

interface Subscription {
  readonly id: unknown;
  readonly methods: ReadonlySet<unknown>;
  readonly listener: UpstreamListener;
  /** The reader takes nothing just now; what changed meanwhile is said once when it does. */
  slow: boolean;
  readonly missed: Map<unknown, Message>;
}

/** `onClosed` is called when a client ended its stream. */
export function createSubscriptions(max: number, onClosed: () => void): Subscriptions {
  const all = new Set<Subscription>();

  const give = (one: Subscription, notification: Message) => {
    if (one.slow) {
      one.missed.set(notification.method, notification);
      return;
    }
    const params = asObject(notification.params);
    const stamped = { ...params, _meta: { ...asObject(params?._meta), [SUBSCRIPTION_ID]: one.id } };
    const taken = one.listener.onMessage({
      text: JSON.stringify({ ...notification, params: stamped }),
      eventId: null,
    });
    if (taken === undefined) return;
    one.slow = true;
    const goOn = () => {
      one.slow = false;
      for (const [method, missed] of [...one.missed]) {
        one.missed.delete(method);
        if (all.has(one)) give(one, missed);
      }
    };
    taken.then(goOn, () => all.delete(one));
  };

  return {
    get size() {
      return all.size;
    },
    open(request, capabilities, listener, signal) {
      if (all.size >= max) return false;
      const wanted = asObject(asObject(request.params)?.notifications) ?? {};
      const honoured = KINDS.filter(
        ({ name, capability }) =>
          wanted[name] === true && asObject(capabilities[capability])?.listChanged === true,
      );
      const one: Subscription = {
        id: request.id,
        methods: new Set(honoured.map(({ method }) => method)),
        listener,
        slow: false,
        missed: new Map(),
      };
      all.add(one);
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      give(one, {
        jsonrpc: "2.0",
        method: "notifications/subscriptions/acknowledged",
        params: { notifications: Object.fromEntries(honoured.map(({ name }) => [name, true])) },
      });
      const stop = () => {
        if (!all.delete(one)) return;
        listener.onFailure({ kind: "broken", status: null, ran: "no", message: "Nobody listens any more." });
        onClosed();
      };
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
      return true;
    },
    publish(notification) {
      for (const one of all) if (one.methods.has(notification.method)) give(one, notification);
    },
    endAll() {
      for (const one of [...all]) {
        all.delete(one);
        one.listener.onEnd();
      }
    },
  };
}
