import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";

/** What makes a delivery what it is, whenever it is sent. */
export interface Signable {
  /** `ob_…` */
  readonly id: string;
  readonly deliveryId: string;
  readonly body: string;
}

/**
 * The headers by which a receiver knows that a delivery is from here, unchanged, and which one it is. Two schemes over
 * the same secret: `X-Butterbase-Signature`, HMAC-SHA256 of the raw body under the secret's UTF-8 bytes, and Standard
 * Webhooks, under what follows `whsec_` decoded from base64, or else under the same bytes. Pure.
 */
export function signedHeaders(secret: string, { id, deliveryId, body }: Signable, nowMs: number) {
  const plain = createHmac("sha256", secret).update(body).digest("hex");
  return {
    "content-type": "application/json",
    "x-butterbase-signature": `sha256=${plain}`,
    "x-butterbase-delivery": deliveryId,
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(nowMs / 1_000)),
    "webhook-signature": standard(secret).sign(id, new Date(nowMs), body),
  };
}

/** Whether a secret can sign at all. Pure. */
export function usableSecret(secret: string): boolean {
  try {
    standard(secret);
    return true;
  } catch {
    return false;
  }
}

const standard = (secret: string): Webhook =>
  secret.startsWith("whsec_")
    ? new Webhook(secret)
    : new Webhook(Buffer.from(secret, "utf8"), { format: "raw" });
