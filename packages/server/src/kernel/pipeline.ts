import { z } from "zod";
import { decideAccess } from "./access.ts";
import { AmbitError, errors, pausedError } from "./errors.ts";
import { limits } from "./limits.ts";
import type { AnyOperation, App, AppCall, Call } from "./operation.ts";
import { inputProblem } from "./plain-input.ts";
import { actorOf } from "./principal.ts";

/** One line of the audit log, as the pipeline hands it over. */
export interface AuditEntry {
  readonly appId: string | null;
  readonly organizationId: string | null;
  readonly category: string;
  readonly eventType: string;
  readonly action: string;
  readonly resourceType: string;
  readonly resourceId: string | null;
  readonly actorType: string;
  readonly actorId: string | null;
  readonly eventData: unknown;
  readonly ip: string;
  readonly userAgent: string;
  readonly success: boolean;
  readonly errorMessage: string | null;
  readonly requestId: string;
}

/** What the pipeline needs from features; the kernel itself knows none of them. */
export interface PipelinePorts {
  /** The app by id or `~subdomain`; null when there is none. */
  findApp(reference: string): Promise<App | null>;
  record(entry: AuditEntry): Promise<void>;
  /** What stands against the call beyond its key's rights, by what only features know; throws to refuse. */
  admit?(operation: AnyOperation, call: Call): Promise<void>;
  observe?(operation: AnyOperation, outcome: string, seconds: number): void;
}

/** Runs operations: principal → app → access → validate → run → record. */
export type Pipeline = (
  operation: AnyOperation,
  call: Call,
  rawInput: Record<string, unknown>,
) => Promise<unknown>;

/** Builds the one pipeline every door calls. */
export function createPipeline(ports: PipelinePorts): Pipeline {
  return async (operation, call, rawInput) => {
    const started = performance.now();
    let outcome = "ok";
    let app: App | null = null;
    let ran = false;
    try {
      app = await resolveApp(ports, operation, rawInput);
      refuseUnlessAllowed(operation, call, app, rawInput);
      if (app?.paused && operation.scope === "app" && operation.whilePaused === false)
        throw pausedError(app.pausedReason);
      refuseUnreadable(rawInput);
      if (ports.admit) await ports.admit(operation, call);
      const input = validate(operation, app === null ? rawInput : { ...rawInput, app_id: app.id });
      ran = true;
      const output = await runWithin(operation, app === null ? call : { ...call, app }, input);
      await recordIfAsked(ports, operation, call, app, rawInput, null);
      return output;
    } catch (error) {
      outcome = error instanceof AmbitError ? error.code : "INTERNAL_ERROR";
      // Whoever holds no key is answerable to nobody: what they were refused before it ran would only fill the log.
      if (ran || call.principal.kind === "key")
        await recordIfAsked(ports, operation, call, app, rawInput, error);
      throw error;
    } finally {
      ports.observe?.(operation, outcome, (performance.now() - started) / 1000);
    }
  };
}

async function resolveApp(
  ports: PipelinePorts,
  operation: AnyOperation,
  rawInput: Record<string, unknown>,
): Promise<App | null> {
  if (operation.scope !== "app") return null;
  const reference = rawInput.app_id;
  if (typeof reference !== "string" || reference === "") {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `app_id is missing: ${operation.name} is about one app.`,
      remediation: "Add app_id; list_apps (GET /apps) shows the ids.",
    });
  }
  const app = await ports.findApp(reference);
  if (app === null) {
    throw errors.RESOURCE_NOT_FOUND({
      message: `There is no app ${reference.slice(0, 80)}.`,
      remediation: "List your apps (GET /apps, manage_app action list) and use an id from there.",
    });
  }
  return app;
}

function refuseUnlessAllowed(
  operation: AnyOperation,
  call: Call,
  app: App | null,
  rawInput: Record<string, unknown>,
): void {
  const named = rawInput.organization_id;
  const refusal = decideAccess({
    principal: call.principal,
    right: operation.right,
    surface: operation.surface ?? "app",
    personOnly: operation.personOnly ?? false,
    app,
    organizationId: typeof named === "string" ? named : null,
    nowMs: call.nowMs,
  });
  if (refusal !== null) throw refusal;
}

/** Throws VALIDATION_INVALID_SCHEMA for what no later step, nor the record, could take. */
function refuseUnreadable(rawInput: Record<string, unknown>): void {
  for (const [field, value] of Object.entries(rawInput)) {
    const problem = inputProblem(field, 0) ?? inputProblem(value, limits.inputDepth);
    if (problem === null) continue;
    const path = withoutNull(field.slice(0, 80));
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `${path}: ${problem}.`,
      details: [{ path, message: problem, code: "custom" }],
    });
  }
}

function validate(operation: AnyOperation, rawInput: Record<string, unknown>): unknown {
  const parsed = operation.input.safeParse(rawInput);
  if (parsed.success) return parsed.data;
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: z.prettifyError(parsed.error),
    details: parsed.error.issues.map((issue: z.core.$ZodIssue) => ({
      path: issue.path.join("."),
      message: issue.message,
      code: issue.code,
    })),
  });
}

/** Bounds the run in time; the operation's own work is told through `call.signal`. */
async function runWithin(operation: AnyOperation, call: Call | AppCall, input: unknown): Promise<unknown> {
  const timeout = AbortSignal.timeout(limits.operationMs);
  const bounded = { ...call, signal: AbortSignal.any([call.signal, timeout]) };
  let onTimeout: (() => void) | undefined;
  const expired = new Promise<never>((_, reject) => {
    onTimeout = () => reject(errors.REQUEST_TIMEOUT());
    timeout.addEventListener("abort", onTimeout, { once: true });
  });
  try {
    return await Promise.race([operation.run(bounded as AppCall, input as never), expired]);
  } catch (error) {
    // Whatever an operation throws because its caller went away is no fault of the server's.
    throw call.signal.aborted && !(error instanceof AmbitError)
      ? errors.REQUEST_CANCELLED({ cause: error })
      : error;
  } finally {
    timeout.removeEventListener("abort", onTimeout!);
  }
}

async function recordIfAsked(
  ports: PipelinePorts,
  operation: AnyOperation,
  call: Call,
  app: App | null,
  rawInput: Record<string, unknown>,
  error: unknown,
): Promise<void> {
  const shape = operation.audit;
  // What a rate limit turned away is a metric, not a fact: recording it would let anyone fill the log.
  if (shape === undefined || (error instanceof AmbitError && error.code === "QUOTA_RATE_LIMIT")) return;
  const actor = actorOf(call.principal);
  const failure = error === null ? null : error instanceof Error ? error.message : String(error);
  const resourceId = shape.resourceId?.(rawInput) ?? null;
  const organizationId = call.principal.kind === "key" ? call.principal.organizationId : null;
  // What a key tried in another organisation is for its own to answer: nobody writes into other people's records.
  const isForeign = app !== null && organizationId !== null && organizationId !== app.organizationId;
  await ports.record({
    appId: isForeign ? null : (app?.id ?? null),
    organizationId: isForeign ? organizationId : (app?.organizationId ?? organizationId),
    category: shape.category,
    eventType: operation.name,
    action: shape.action,
    resourceType: shape.resourceType,
    resourceId: recordable(resourceId),
    actorType: actor.type,
    actorId: actor.id,
    eventData: {
      door: call.door,
      input: redact(operation, rawInput),
      code: error instanceof AmbitError ? error.code : undefined,
    },
    ip: call.ip,
    userAgent: call.userAgent,
    success: error === null,
    errorMessage: failure === null ? null : withoutNull(failure).slice(0, limits.auditedTextChars),
    requestId: call.requestId,
  });
}

/** The name of a thing comes from the input as it was sent: it need be neither a text nor short. */
const recordable = (resourceId: unknown): string | null =>
  typeof resourceId === "string" && inputProblem(resourceId, 0) === null
    ? resourceId.slice(0, limits.auditedTextChars)
    : null;

/** A message may quote what was asked for. */
const withoutNull = (text: string): string => text.replaceAll("\0", "\ufffd");

/** The input as it may be recorded: secret fields and what can't be stored are replaced, long texts cut. */
export function redact(operation: AnyOperation, input: Record<string, unknown>): Record<string, unknown> {
  const secret = new Set(operation.secretFields ?? []);
  const shown: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(input)) {
    if (!Object.hasOwn(operation.input.shape, field)) continue;
    if (secret.has(field)) shown[field] = "[redacted]";
    else if (inputProblem(value, limits.inputDepth) !== null) shown[field] = "[unreadable]";
    else {
      const text = JSON.stringify(value) ?? "null";
      shown[field] =
        text.length > limits.auditedFieldChars ? `${text.slice(0, limits.auditedFieldChars)}…` : value;
    }
  }
  return shown;
}
