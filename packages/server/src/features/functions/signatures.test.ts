import { createHmac } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { describe, expect, it } from "vitest";
import { type Provider, secretProblem, verifyWebhook, type WebhookConfig } from "./signatures.ts";

const nowMs = 1_700_000_000_000;
const seconds = nowMs / 1_000;
const secret = "shhh";
const body = Buffer.from('{"id":"evt_1","note":"é"}');
const hmac = (text: string | Buffer, key = secret) => createHmac("sha256", key).update(text).digest("hex");
const config = (provider: Provider, more: Partial<WebhookConfig> = {}): WebhookConfig => ({
  provider,
  secret,
  signatureHeader: "x-signature",
  idempotencyKeyHeader: null,
  ...more,
});
const verify = (given: WebhookConfig, headers: Record<string, string>, payload = body, at = nowMs) =>
  verifyWebhook(given, { headers, body: payload, nowMs: at });
const stripeHeader = (t: number | string, payload: Buffer = body) =>
  `t=${t},v1=${hmac(Buffer.concat([Buffer.from(`${t}.`), payload]))}`;

describe("verifyWebhook", () => {
  it("takes Stripe's signatures, old keys beside new ones, within five minutes", () => {
    const good = stripeHeader(seconds);
    expect(verify(config("stripe"), { "stripe-signature": good })?.eventId).toBe("id:evt_1");
    const two = good.replace(",v1=", `,v1=${"0".repeat(64)},v1=`);
    expect(verify(config("stripe"), { "stripe-signature": two })).not.toBeNull();
    expect(verify(config("stripe"), { "stripe-signature": stripeHeader(seconds - 299) })).not.toBeNull();
    for (const bad of [
      stripeHeader(seconds - 301),
      stripeHeader(seconds + 301),
      good.replace(`t=${seconds}`, `t=${seconds + 1}`),
      `t=${seconds}`,
      `t=${seconds},v0=${hmac(`${seconds}.${body}`)}`,
      `t=x,v1=${hmac(`x.${body}`)}`,
      "",
    ])
      expect(verify(config("stripe"), { "stripe-signature": bad })).toBeNull();
    expect(verify(config("stripe"), { "stripe-signature": good }, Buffer.from("{}"))).toBeNull();
    expect(verify(config("stripe", { secret: "other" }), { "stripe-signature": good })).toBeNull();
    expect(verify(config("stripe"), {})).toBeNull();
  });

  it("takes GitHub's", () => {
    const headers = { "x-hub-signature-256": `sha256=${hmac(body)}`, "x-github-delivery": "d-1" };
    expect(verify(config("github"), headers)?.eventId).toBe("id:d-1");
    for (const bad of [hmac(body), `sha256=${hmac("x")}`, `sha1=${hmac(body)}`, ""])
      expect(verify(config("github"), { ...headers, "x-hub-signature-256": bad })).toBeNull();
  });

  it("takes custom ones from the header that was named, and knows events without an id by their signature", () => {
    const plain = verify(config("custom"), { "x-signature": hmac(body) })!;
    expect(plain.eventId).toMatch(/^signature:[0-9a-f]{64}$/);
    expect(verify(config("custom"), { "x-signature": `sha256=${hmac(body).toUpperCase()}` })).toEqual(plain);
    const named = config("custom", { signatureHeader: "x-mine", idempotencyKeyHeader: "x-event" });
    expect(verify(named, { "x-mine": hmac(body), "x-event": "e9" })?.eventId).toBe("id:e9");
    expect(verify(named, { "x-signature": hmac(body) })).toBeNull();
    expect(verify(config("custom"), { "x-signature": hmac(body).slice(1) })).toBeNull();
  });

  it("takes Standard Webhooks as its library signs them", () => {
    const key = `whsec_${Buffer.from("a secret of some length").toString("base64")}`;
    const sign = (at: number) => ({
      "webhook-id": "msg_1",
      "webhook-timestamp": String(at),
      "webhook-signature": `v1,AAAA ${new Webhook(key).sign("msg_1", new Date(at * 1_000), body.toString())}`,
    });
    const standard = config("standard", { secret: key });
    expect(verify(standard, sign(seconds))?.eventId).toBe("id:msg_1");
    expect(verify(standard, sign(seconds - 301))).toBeNull();
    expect(verify(standard, { ...sign(seconds), "webhook-id": "msg_2" })).toBeNull();
    expect(verify(standard, { ...sign(seconds), "webhook-signature": "v1,AAAA" })).toBeNull();
    expect(secretProblem("standard", key)).toBeNull();
    expect(secretProblem("standard", "***")).not.toBeNull();
  });
});
