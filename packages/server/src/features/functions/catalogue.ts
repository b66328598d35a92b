import { LRUCache } from "lru-cache";
import { namesOf, type Platform } from "../../engines/platform.ts";
import type { ProgramKey, Target } from "../../engines/workerd/types.ts";
import { hostOf } from "../../kernel/app-host.ts";
import { createLookup } from "../../kernel/cache.ts";
import { limits as kernelLimits } from "../../kernel/limits.ts";
import type { App } from "../../kernel/operation.ts";
import type { AppsService } from "../apps/service.ts";
import type { RuntimeService } from "../runtime/service.ts";
import { contextTail } from "./context.ts";
import type { HttpAuth } from "./invoke-access.ts";
import { isOfRevision, programKey, revisionOf } from "./program.ts";
import * as store from "./store.ts";
import type { WebhookSettings } from "./triggers.ts";

/** A function as those who call it need it: everything that can be known before a call is in here. */
export interface FunctionRoute {
  readonly id: string;
  readonly name: string;
  readonly app: App;
  readonly key: ProgramKey;
  readonly target: Target;
  /** What user code is told as the host: the app's own name, whichever the request came to. */
  readonly host: string;
  readonly timeoutMs: number;
  /** null: it has no http trigger, or that is switched off. */
  readonly http: HttpAuth | null;
  readonly webhook: { readonly settings: WebhookSettings; readonly sealedSecret: string } | null;
  /** The websocket event it answers. */
  readonly event: string | null;
  readonly runsAsService: boolean;
  readonly allowsImpersonation: boolean;
  readonly contextTail: string;
  /** Calls under way on this node; stays the same while the function changes. */
  readonly load: { inFlight: number };
}

/** The functions of an app. */
export interface AppFunctions {
  readonly app: App;
  /** Changes with everything below. */
  readonly revision: string;
  readonly byName: ReadonlyMap<string, FunctionRoute>;
  readonly byEvent: ReadonlyMap<string, FunctionRoute>;
}

export interface Catalogue {
  /** By app id or `~subdomain`; null for an app that is not there. At most 0.8 s old. */
  find(reference: string): Promise<AppFunctions | null>;
  /** The same without waiting; undefined when it has to be looked up. */
  peek(reference: string): AppFunctions | null | undefined;
  forget(): void;
  /** Has a running program of an older revision replaced. Rejects when the new one does not start. */
  refresh(appId: string, revision: string): Promise<void>;
}

export function createCatalogue(
  platform: Platform,
  { apps, runtime }: { apps: AppsService; runtime: RuntimeService },
): Catalogue {
  const known = new LRUCache<string, AppFunctions>({ max: kernelLimits.cacheEntries });
  const swaps = new Map<string, Promise<void>>();

  const refresh = async (appId: string, revision: string): Promise<void> => {
    const key = programKey(appId);
    for (let running = swaps.get(appId); running !== undefined; running = swaps.get(appId)) {
      await running.catch(() => {});
    }
    const { revision: serving } = runtime.engine.status(key);
    if (serving === null || isOfRevision(serving, revision)) return;
    const swap = runtime.engine.swap(key).finally(() => swaps.delete(appId));
    swaps.set(appId, swap);
    await swap;
  };

  const load = async (reference: string): Promise<AppFunctions | null> => {
    const app = await apps.find(reference);
    if (app === null) return null;
    const at = await store.selectRevision(platform.database, app.id);
    const serving = revisionOf(at, await apps.config(app.id));
    const revision = `${at.revision}/${serving}`;
    const before = known.get(app.id);
    // A program replaced on another node is replaced here before its calls are let in.
    await refresh(app.id, serving).catch((error) =>
      platform.log.error({ err: error, app: app.id }, "the app's functions could not be replaced"),
    );
    if (before !== undefined && before.revision === revision && sameApp(before.app, app)) return before;
    const [rows, triggers] = await Promise.all([
      store.selectFunctions(platform.database, app.id),
      store.selectTriggers(platform.database, app.id),
    ]);
    const host = hostOf(namesOf(platform), app);
    const routes = rows.map((row) => toRoute(app, host, row, triggers, loadOf(before, row)));
    const functions: AppFunctions = {
      app,
      revision,
      byName: new Map(routes.map((route) => [route.name, route])),
      byEvent: new Map(routes.flatMap((route) => (route.event === null ? [] : [[route.event, route]]))),
    };
    known.set(app.id, functions);
    return functions;
  };

  const lookup = createLookup(load);
  return {
    find: (reference) => lookup.get(reference),
    peek: (reference) => lookup.peek(reference),
    forget: () => lookup.forget(),
    refresh,
  };
}

/** A function deployed anew keeps its count: calls of the version before are still under way. */
const loadOf = (before: AppFunctions | undefined, { id, name }: store.FunctionRow): FunctionRoute["load"] => {
  const route = before?.byName.get(name);
  return route?.id === id ? route.load : { inFlight: 0 };
};

const sameApp = (a: App, b: App): boolean => JSON.stringify(a) === JSON.stringify(b);

function toRoute(
  app: App,
  host: string,
  row: store.FunctionRow,
  triggers: readonly store.TriggerRow[],
  load: FunctionRoute["load"],
): FunctionRoute {
  const own = (type: store.TriggerRow["type"]) =>
    triggers.find((trigger) => trigger.function_id === row.id && trigger.type === type && trigger.enabled);
  const http = own("http");
  const webhook = own("webhook");
  const websocket = own("websocket");
  const runsAsService = row.run_as === "service";
  return {
    id: row.id,
    name: row.name,
    app,
    key: programKey(app.id),
    target: { kind: "function", unit: row.name },
    host,
    timeoutMs: row.timeout_ms,
    http: (http?.config.auth as HttpAuth | undefined) ?? null,
    webhook:
      webhook?.secret == null
        ? null
        : { settings: webhook.config as unknown as WebhookSettings, sealedSecret: webhook.secret },
    event: (websocket?.config.event as string | undefined) ?? null,
    runsAsService,
    allowsImpersonation: row.allow_service_key_impersonation,
    contextTail: contextTail(row.name, app, runsAsService),
    load,
  };
}
