import type { Platform } from "../../engines/platform.ts";
import { createLookup } from "../../kernel/cache.ts";
import { AmbitError } from "../../kernel/errors.ts";
import { createSerial } from "../../kernel/serial.ts";
import type { AppsService } from "../apps/service.ts";
import type { RuntimeService } from "../runtime/service.ts";
import { type Activity, createActivity } from "./activity.ts";
import { type CallActor, createActorCalls } from "./calls.ts";
import { type ActorContext, bringUp } from "./context.ts";
import * as instanceStore from "./instance-store.ts";
import type { InstanceContext } from "./instances.ts";
import { limits } from "./limits.ts";
import type { AccessMode } from "./names.ts";
import { createPrograms } from "./programs.ts";
import { recover } from "./removal.ts";
import * as store from "./store.ts";
import { createTickets, type Tickets } from "./tickets.ts";

export { type ActorAccessQuestion, decideActorAccess, hasLapsed } from "./access.ts";
export { refuseBlamed } from "./blame.ts";
export { identityHeaders } from "./identity.ts";
export { type AccessMode, instanceNameProblem } from "./names.ts";

/** A class that serves, as the doors see it. */
export interface ActorClass {
  readonly id: string;
  readonly appId: string;
  readonly name: string;
  readonly className: string;
  readonly accessMode: AccessMode;
}

/** Durable Objects, as doors and other features see them. */
export interface DurableObjectsService {
  /** The class of that name if one serves; at most 0.8 s old. */
  find(appId: string, name: string): Promise<ActorClass | null>;
  /** Calls an instance for someone inside Ambit. */
  readonly call: CallActor;
  /** An instance was reached by its name; costs nothing, and is written down later. */
  saw(classId: string, instanceName: string, atMs: number): void;
  /** The access token behind a ticket, which is spent by it. Throws DURABLE_OBJECT_TICKET_INVALID. */
  redeemTicket(
    appId: string,
    ticket: string,
    target: { className: string; instance: string },
  ): Promise<string>;
  /** Called after a class of the app was deployed, changed or deleted on this node. */
  onChange(listener: (appId: string) => void): void;
}

export interface Dependencies {
  readonly apps: AppsService;
  readonly runtime: RuntimeService;
}

/** The service and the parts its operations run. */
export interface ActorParts {
  readonly service: DurableObjectsService;
  readonly context: InstanceContext;
  readonly tickets: Tickets;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createActorParts(platform: Platform, { apps, runtime }: Dependencies): ActorParts {
  const { log } = platform;
  const lookup = createLookup((key) => findClass(platform, key));
  const listeners = new Set<(appId: string) => void>();
  const context: ActorContext = {
    platform,
    apps,
    runtime,
    programs: createPrograms(platform, apps, (appId) => runtime.logsEnabled(appId)),
    serial: createSerial(),
    changed(appId) {
      lookup.forget();
      for (const listener of listeners) listener(appId);
    },
  };
  const activity = createActivity(platform.database, platform, (uniqueKey, name) =>
    runtime.engine.idFromName(uniqueKey, name),
  );
  const tickets = createTickets(platform);
  runtime.provide("actors", context.programs);
  // The app's own variables are in `env` too: classes that run get them at once.
  apps.onChange((appId) => {
    context
      .serial(appId, () => bringUp(context, appId))
      .catch((error: Error) => {
        // Where no code runs there is nothing to bring up.
        const level = error instanceof AmbitError ? "debug" : "warn";
        log[level]({ app: appId, error: error.message }, "classes go on with the variables they had");
      });
  });
  return {
    context: { ...context, activity },
    tickets,
    service: {
      find: (appId, name) => lookup.get(`${appId}/${name}`),
      call: createActorCalls(runtime, activity, platform.clock),
      saw: activity.saw,
      redeemTicket: tickets.redeem,
      onChange: (listener) => void listeners.add(listener),
    },
    ...background(context, activity),
  };
}

async function findClass({ database }: Platform, key: string): Promise<ActorClass | null> {
  const slash = key.indexOf("/");
  const row = await store.selectClass(database, key.slice(0, slash), key.slice(slash + 1));
  if (row === null || row.version === null || row.class_name === null) return null;
  return toActorClass({ ...row, class_name: row.class_name });
}

export const toActorClass = (row: store.ClassRow & { class_name: string }): ActorClass => ({
  id: row.id,
  appId: row.app_id,
  name: row.name,
  className: row.class_name,
  accessMode: row.access_mode,
});

/** What goes on by itself: activity is written, what is past its time is removed. */
function background(context: ActorContext, activity: Activity): Pick<ActorParts, "start" | "stop"> {
  const { database, log, clock } = context.platform;
  const timers: NodeJS.Timeout[] = [];
  const sweep = async () => {
    await instanceStore.deleteExpiredTickets(database, new Date(clock()));
    await instanceStore.trimInstances(database, limits.namedInstances);
  };
  return {
    async start() {
      await recover(context);
      timers.push(
        setInterval(() => void activity.flush(), limits.activityEveryMs).unref(),
        setInterval(
          () => void sweep().catch((error) => log.warn({ error: error.message }, "sweep failed")),
          limits.sweepEveryMs,
        ).unref(),
      );
    },
    async stop() {
      for (const timer of timers.splice(0)) clearInterval(timer);
      await activity.flush(true);
    },
  };
}
