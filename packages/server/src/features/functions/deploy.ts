import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { compileFunction, SourceError } from "../../engines/workerd/source/index.ts";
import { newUuid } from "../../kernel/ids.ts";
import { fileOf, sourceProblem } from "../runtime/service.ts";
import type { Plan } from "./changes.ts";
import { sealEnv, sealWebhookSecret } from "./env.ts";
import { functionErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { ProgramParts } from "./program.ts";
import { nextRun } from "./schedule.ts";
import { deleteSchedule, setSchedule } from "./schedule-store.ts";
import * as store from "./store.ts";
import { readTriggers, scheduleOf, type Trigger, type TriggerOrder } from "./triggers.ts";

/** A deployment. What is left out stays as it is, or has its default for a new function. */
export interface DeployOrder {
  readonly name: string;
  readonly code: string;
  readonly description?: string | undefined;
  readonly env?: Readonly<Record<string, string | null>> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly memoryLimitMb?: number | undefined;
  readonly triggers?: readonly TriggerOrder[] | undefined;
  readonly runAs?: "caller" | "service" | undefined;
  readonly allowImpersonation?: boolean | undefined;
  readonly agentTool?: boolean | undefined;
  readonly agentToolDescription?: string | undefined;
  readonly agentToolMode?: "read_only" | "read_write" | undefined;
  readonly agentToolExposedTo?: "developer_only" | "end_user" | undefined;
  readonly by: string | null;
}

export interface Deployed {
  readonly row: store.FunctionRow;
  readonly triggers: readonly Omit<store.TriggerRow, "function_id">[];
  readonly created: boolean;
}

type Code = Awaited<ReturnType<typeof compileFunction>>;

/** Judges and compiles the source. @throws VALIDATION_ERROR with reason, line and column */
export async function compile(name: string, code: string): Promise<Code> {
  try {
    return await compileFunction(code, fileOf(name));
  } catch (error) {
    if (!(error instanceof SourceError)) throw error;
    throw functionErrors.VALIDATION_ERROR({ ...sourceProblem(name, error), cause: error });
  }
}

/** Plans a deployment on the functions that are there. */
export async function planDeploy(
  { database, secrets, clock }: Platform,
  { functions, code }: ProgramParts,
  appId: string,
  order: DeployOrder,
  compiled: Code,
): Promise<Plan<Deployed>> {
  const present = functions.find(({ name }) => name === order.name) ?? null;
  if (present === null && functions.length >= limits.functionsPerApp) {
    throw functionErrors.QUOTA_FUNCTION_LIMIT();
  }
  const id = present?.id ?? newUuid();
  const before = present === null ? [] : await triggersOf(database, appId, id);
  const triggers = await triggerRows(secrets, id, order.triggers, before, present !== null);
  const version = present === null ? 1 : (await store.selectLastVersion(database, id)) + 1;
  const now = new Date(clock());
  const row = rowOf(appId, id, present, order, {
    version,
    env: sealEnv(secrets, id, present?.env ?? {}, order.env ?? {}),
    now,
  });
  return {
    result: { row, triggers, created: present === null },
    parts: {
      functions: [...functions.filter((each) => each.id !== id), row],
      code: new Map([...code, [id, { compiled: compiled.code, entry: compiled.entry }]]),
    },
    sourceMaps: new Map([[order.name, compiled.sourceMap]]),
    async write(tx) {
      const { id: _, app_id: __, name: ___, created_at: ____, ...changes } = row;
      if (present === null) await store.insertFunction(tx, row);
      else await store.updateFunction(tx, id, changes);
      await store.insertVersion(tx, {
        function_id: id,
        version,
        code: order.code,
        compiled: compiled.code,
        source_map: compiled.sourceMap,
        entry: compiled.entry,
        deployed_by: order.by,
        created_at: now,
      });
      await store.pruneVersions(tx, id, limits.versions);
      await writeTriggers(tx, id, triggers, clock());
    },
    async undo(tx) {
      if (present === null) return store.eraseFunction(tx, id);
      const { id: _, app_id: __, name: ___, created_at: ____, ...changes } = present;
      await store.updateFunction(tx, id, changes);
      await store.deleteVersion(tx, id, version);
      await writeTriggers(tx, id, before, clock());
    },
  };
}

function rowOf(
  appId: string,
  id: string,
  present: store.FunctionRow | null,
  order: DeployOrder,
  fresh: { version: number; env: Record<string, string>; now: Date },
): store.FunctionRow {
  return {
    id,
    app_id: appId,
    name: order.name,
    description: order.description ?? present?.description ?? null,
    version: fresh.version,
    env: fresh.env,
    timeout_ms: order.timeoutMs ?? present?.timeout_ms ?? limits.defaultTimeoutMs,
    memory_limit_mb: order.memoryLimitMb ?? present?.memory_limit_mb ?? limits.defaultMemoryMb,
    run_as: order.runAs ?? present?.run_as ?? "caller",
    allow_service_key_impersonation:
      order.allowImpersonation ?? present?.allow_service_key_impersonation ?? true,
    agent_tool: order.agentTool ?? present?.agent_tool ?? false,
    agent_tool_description: order.agentToolDescription ?? present?.agent_tool_description ?? null,
    agent_tool_mode: order.agentToolMode ?? present?.agent_tool_mode ?? null,
    agent_tool_exposed_to: order.agentToolExposedTo ?? present?.agent_tool_exposed_to ?? null,
    created_at: present?.created_at ?? fresh.now,
    deployed_at: fresh.now,
    updated_at: fresh.now,
    deleted_at: null,
  };
}

type OwnTrigger = Omit<store.TriggerRow, "function_id">;

async function triggersOf(db: Queryable, appId: string, id: string): Promise<OwnTrigger[]> {
  return (await store.selectTriggers(db, appId)).filter(({ function_id }) => function_id === id);
}

async function triggerRows(
  secrets: Platform["secrets"],
  id: string,
  orders: readonly TriggerOrder[] | undefined,
  before: readonly OwnTrigger[],
  exists: boolean,
): Promise<OwnTrigger[]> {
  if (orders === undefined && exists) return [...before];
  const kept = before.find(({ type }) => type === "webhook")?.secret ?? null;
  return readTriggers(orders ?? [], kept !== null).map((trigger) => ({
    type: trigger.type,
    enabled: trigger.enabled,
    config: { ...trigger.config },
    secret:
      trigger.type !== "webhook"
        ? null
        : trigger.secret === undefined
          ? kept
          : sealWebhookSecret(secrets, id, trigger.secret),
  }));
}

async function writeTriggers(
  tx: Queryable,
  id: string,
  triggers: readonly OwnTrigger[],
  nowMs: number,
): Promise<void> {
  await store.replaceTriggers(tx, id, triggers);
  const cron = triggers.find(({ type, enabled }) => type === "cron" && enabled);
  if (cron === undefined) return deleteSchedule(tx, id);
  const schedule = scheduleOf(cron as unknown as Extract<Trigger, { type: "cron" }>);
  const next = nextRun(schedule, nowMs);
  await setSchedule(tx, id, { ...schedule, nextRunAt: next === null ? null : new Date(next) });
}
