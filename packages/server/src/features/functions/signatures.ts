import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { limits } from "./limits.ts";

export const PROVIDERS = ["stripe", "github", "custom", "standard"] as const;
export type Provider = (typeof PROVIDERS)[number];

/** How a webhook trigger tells that a request comes from its sender. */
export interface WebhookConfig {
  readonly provider: Provider;
  readonly secret: string;
  /** Lower case; of `custom`. */
  readonly signatureHeader: string;
  /** Lower case; the header that carries the event's id, instead of the provider's own. */
  readonly idempotencyKeyHeader: string | null;
}

/** A request as it came. */
export interface Delivery {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  readonly nowMs: number;
}

/** What makes the event one of its own, and how long that is to be remembered once it was handled. */
export interface Verified {
  readonly eventId: string;
  readonly rememberMs: number;
}

/**
 * Verifies a webhook; null when the signature is missing, wrong or too old. Pure. An event without an id is known by
 * its signature and time, for as long as its signature would be taken.
 */
export function verifyWebhook(config: WebhookConfig, delivery: Delivery): Verified | null {
  const signed = VERIFY[config.provider](config, delivery);
  if (signed === null) return null;
  const given = config.idempotencyKeyHeader === null ? null : header(delivery, config.idempotencyKeyHeader);
  const id = given ?? signed.id;
  if (id !== null && id !== "") {
    return { eventId: `id:${id.slice(0, limits.webhookIdChars)}`, rememberMs: limits.webhookMemoryMs };
  }
  const digest = createHash("sha256").update(`${signed.signature}\n${signed.timestamp}`).digest("hex");
  // A sender's clock may be ahead by the tolerance: the signature is then taken for twice as long.
  return { eventId: `signature:${digest}`, rememberMs: 2 * limits.webhookToleranceMs };
}

interface Signed {
  readonly id: string | null;
  readonly signature: string;
  readonly timestamp: string;
}

type Verify = (config: WebhookConfig, delivery: Delivery) => Signed | null;

const VERIFY: Record<Provider, Verify> = { stripe, github, custom, standard };

/** `t=<seconds>,v1=<hex>[,v1=…]`: HMAC-SHA256 of `<t>.<body>`. */
function stripe({ secret }: WebhookConfig, delivery: Delivery): Signed | null {
  const parts = (header(delivery, "stripe-signature") ?? "").split(",").map((part) => part.trim());
  const timestamp = parts.find((part) => part.startsWith("t="))?.slice(2) ?? "";
  const signatures = parts.filter((part) => part.startsWith("v1=")).map((part) => part.slice(3));
  if (!/^\d{1,15}$/.test(timestamp) || !recent(Number(timestamp), delivery.nowMs)) return null;
  const expected = createHmac("sha256", secret).update(`${timestamp}.`).update(delivery.body).digest("hex");
  if (!signatures.some((signature) => same(signature, expected))) return null;
  return { id: idInBody(delivery.body), signature: expected, timestamp };
}

/** `sha256=<hex>`: HMAC-SHA256 of the body. */
function github({ secret }: WebhookConfig, delivery: Delivery): Signed | null {
  const expected = `sha256=${createHmac("sha256", secret).update(delivery.body).digest("hex")}`;
  if (!same(header(delivery, "x-hub-signature-256") ?? "", expected)) return null;
  return { id: header(delivery, "x-github-delivery"), signature: expected, timestamp: "" };
}

/** HMAC-SHA256 of the body as hex, with or without `sha256=` before it. */
function custom({ secret, signatureHeader }: WebhookConfig, delivery: Delivery): Signed | null {
  const expected = createHmac("sha256", secret).update(delivery.body).digest("hex");
  const given = (header(delivery, signatureHeader) ?? "").replace(/^sha256=/i, "").toLowerCase();
  if (!same(given, expected)) return null;
  return { id: null, signature: expected, timestamp: "" };
}

/** The Standard Webhooks scheme: webhook-id, webhook-timestamp and webhook-signature. */
function standard({ secret }: WebhookConfig, delivery: Delivery): Signed | null {
  const id = header(delivery, "webhook-id") ?? "";
  const timestamp = header(delivery, "webhook-timestamp") ?? "";
  const signatures = header(delivery, "webhook-signature") ?? "";
  if (id === "" || !/^\d{1,15}$/.test(timestamp) || !recent(Number(timestamp), delivery.nowMs)) return null;
  try {
    // The library's own check of the time goes by the system's clock; ours above by the one passed in.
    const expected = new Webhook(secret).sign(id, new Date(Number(timestamp) * 1_000), delivery.body);
    if (!signatures.split(" ").some((signature) => same(signature, expected))) return null;
    return { id, signature: expected, timestamp };
  } catch {
    return null;
  }
}

/** What is wrong with a webhook's secret, or null. */
export function secretProblem(provider: Provider, secret: string): string | null {
  if (provider !== "standard") return null;
  try {
    new Webhook(secret);
    return null;
  } catch {
    return "the secret of provider standard is base64, with or without whsec_ before it";
  }
}

const recent = (seconds: number, nowMs: number): boolean =>
  Math.abs(nowMs - seconds * 1_000) <= limits.webhookToleranceMs;

/** Compares in a time that does not depend on where the texts differ. */
function same(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

function header({ headers }: Delivery, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function idInBody(body: Buffer): string | null {
  try {
    const { id } = JSON.parse(body.toString("utf8")) as { id?: unknown };
    return typeof id === "string" ? id : null;
  } catch {
    return null;
  }
}
