import { functionErrors } from "./errors.ts";
import { HTTP_AUTH, type HttpAuth } from "./invoke-access.ts";
import { limits } from "./limits.ts";
import { type Schedule, scheduleProblem } from "./schedule.ts";
import { PROVIDERS, type Provider, secretProblem } from "./signatures.ts";

export const TRIGGER_TYPES = ["http", "cron", "webhook", "websocket", "s3_upload"] as const;

/** A trigger as it is deployed. */
export interface TriggerOrder {
  readonly type: (typeof TRIGGER_TYPES)[number];
  readonly config?: unknown;
  readonly enabled?: boolean | undefined;
}

/** A trigger that has been read; `secret` only for webhooks, and never shown again. */
export type Trigger =
  | { readonly type: "http"; readonly enabled: boolean; readonly config: { readonly auth: HttpAuth } }
  | {
      readonly type: "cron";
      readonly enabled: boolean;
      readonly config: { readonly schedule: string; readonly timezone: string };
    }
  | {
      readonly type: "webhook";
      readonly enabled: boolean;
      readonly config: WebhookSettings;
      /** Absent: the one given before stays. */
      readonly secret?: string;
    }
  | { readonly type: "websocket"; readonly enabled: boolean; readonly config: { readonly event: string } };

export interface WebhookSettings {
  readonly provider: Provider;
  readonly signature_header: string;
  readonly idempotency_key_header: string | null;
}

export const scheduleOf = ({ config }: Extract<Trigger, { type: "cron" }>): Schedule => ({
  cron: config.schedule,
  timezone: config.timezone,
});

/**
 * Reads the triggers of a deployment; without any the function has an http trigger for signed-in callers. Pure.
 * @throws VALIDATION_ERROR for a second trigger of a type, and for a configuration that could never work
 */
export function readTriggers(orders: readonly TriggerOrder[], keepsSecret: boolean): Trigger[] {
  if (orders.length === 0) return [{ type: "http", enabled: true, config: { auth: "required" } }];
  const seen = new Set<string>();
  return orders.map((order) => {
    if (seen.has(order.type)) refuse("DUPLICATE_TRIGGER", `A function has one ${order.type} trigger.`);
    seen.add(order.type);
    const config = order.config ?? {};
    if (typeof config !== "object" || Array.isArray(config))
      refuse("INVALID_TRIGGER", `The config of the ${order.type} trigger is an object.`);
    return READ[order.type](config as Record<string, unknown>, order.enabled ?? true, keepsSecret);
  });
}

type Read = (config: Record<string, unknown>, enabled: boolean, keepsSecret: boolean) => Trigger;

const READ: Record<TriggerOrder["type"], Read> = {
  http(config, enabled) {
    const auth = config.auth ?? "required";
    if (!isOneOf(HTTP_AUTH, auth)) refuse("INVALID_TRIGGER", "auth is required, optional or none.");
    return { type: "http", enabled, config: { auth } };
  },
  cron(config, enabled) {
    const schedule = config.schedule ?? config.cron;
    const timezone = config.timezone ?? "UTC";
    if (typeof schedule !== "string" || typeof timezone !== "string")
      refuse("INVALID_SCHEDULE", 'A cron trigger needs config {"schedule": "*/5 * * * *"}.');
    const problem = scheduleProblem({ cron: schedule, timezone });
    if (problem !== null) refuse("INVALID_SCHEDULE", `The cron trigger's ${problem}.`);
    return { type: "cron", enabled, config: { schedule: schedule.trim(), timezone } };
  },
  webhook(config, enabled, keepsSecret) {
    const { provider, secret } = config;
    if (!isOneOf(PROVIDERS, provider))
      refuse("INVALID_TRIGGER", `A webhook trigger needs a provider: ${PROVIDERS.join(", ")}.`);
    if (secret === undefined && !keepsSecret)
      refuse("INVALID_TRIGGER", "A webhook trigger needs the secret that the sender signs with.");
    if (
      secret !== undefined &&
      (typeof secret !== "string" || secret === "" || secret.length > limits.secretChars)
    )
      refuse("INVALID_TRIGGER", `A webhook's secret is a text of 1 to ${limits.secretChars} characters.`);
    const problem = typeof secret === "string" ? secretProblem(provider, secret) : null;
    if (problem !== null) refuse("INVALID_TRIGGER", `Webhook: ${problem}.`);
    const settings: WebhookSettings = {
      provider,
      signature_header: headerName(config.signature_header ?? "x-signature"),
      idempotency_key_header:
        config.idempotency_key_header == null ? null : headerName(config.idempotency_key_header),
    };
    return {
      type: "webhook",
      enabled,
      config: settings,
      ...(typeof secret === "string" ? { secret } : {}),
    };
  },
  websocket(config, enabled) {
    const { event } = config;
    if (typeof event !== "string" || event === "" || event.length > limits.eventChars)
      refuse("INVALID_TRIGGER", 'A websocket trigger needs config {"event": "<name>"}.');
    return { type: "websocket", enabled, config: { event } };
  },
  s3_upload: () =>
    refuse(
      "TRIGGER_NOT_AVAILABLE",
      "An s3_upload trigger needs file storage, which this server does not have yet.",
      "Leave the trigger out; use an http, cron, webhook or websocket trigger.",
    ),
};

function headerName(value: unknown): string {
  if (
    typeof value !== "string" ||
    value.length > limits.headerChars ||
    !/^[a-z0-9!#$&'*+.^_|~-]+$/i.test(value)
  )
    refuse("INVALID_TRIGGER", "A webhook's header names are names of HTTP headers.");
  return value.toLowerCase();
}

const isOneOf = <T extends string>(values: readonly T[], value: unknown): value is T =>
  values.includes(value as T);

const MEND =
  "Correct the trigger as the message says and deploy again; a function has one trigger of each type.";

function refuse(reason: string, message: string, remediation = MEND): never {
  throw functionErrors.VALIDATION_ERROR({ message, details: { reason }, remediation });
}
