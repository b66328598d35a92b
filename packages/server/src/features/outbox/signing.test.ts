import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { signedHeaders, usableSecret } from "./signing.ts";

const delivery = { id: "ob_01", deliveryId: "5c1e2c7e-9d3e-4a0b-8a55-0b1f1c2d3e4f" };
const hmac = (key: Buffer, text: string) => createHmac("sha256", key).update(text, "utf8");

describe("signedHeaders", () => {
  it("signs the bytes of the body in both schemes, for any secret and body", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 8, unit: "grapheme" }).filter((text) => !text.startsWith("whsec_")),
        fc.json(),
        fc.integer({ min: 0, max: 4e12 }),
        (secret, body, nowMs) => {
          const headers = signedHeaders(secret, { ...delivery, body }, nowMs);
          const key = Buffer.from(secret, "utf8");
          expect(headers["x-butterbase-signature"]).toBe(`sha256=${hmac(key, body).digest("hex")}`);
          const stamp = String(Math.floor(nowMs / 1_000));
          expect(headers["webhook-timestamp"]).toBe(stamp);
          expect(headers["webhook-signature"]).toBe(
            `v1,${hmac(key, `ob_01.${stamp}.${body}`).digest("base64")}`,
          );
        },
      ),
    );
  });

  it("decodes a Standard Webhooks secret for that scheme", () => {
    const key = Buffer.from("0123456789abcdef0123456789abcdef");
    const secret = `whsec_${key.toString("base64")}`;
    const headers = signedHeaders(secret, { ...delivery, body: "{}" }, 1_000);
    expect(headers["webhook-signature"]).toBe(`v1,${hmac(key, "ob_01.1.{}").digest("base64")}`);
    expect(headers["x-butterbase-signature"]).toBe(`sha256=${hmac(Buffer.from(secret), "{}").digest("hex")}`);
  });

  it("is verified by the guide's example", async () => {
    const guide = readFileSync(new URL("../../../../../docs/guides/outbox.md", import.meta.url), "utf8");
    const code = guide.split("```js\n")[1]!.split("```")[0]!;
    const { isFromAmbit } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
    const headers = signedHeaders("the secret", { ...delivery, body: '{"a":"ü"}' }, 1_000);
    expect(isFromAmbit(Buffer.from('{"a":"ü"}'), headers, "the secret")).toBe(true);
    expect(isFromAmbit(Buffer.from('{"a":"u"}'), headers, "the secret")).toBe(false);
    expect(isFromAmbit(Buffer.from('{"a":"ü"}'), {}, "the secret")).toBe(false);
  });

  it("knows which secrets can't sign", () => {
    expect(usableSecret("whsec_???????")).toBe(false);
    expect(usableSecret("whsec_")).toBe(false);
    expect(usableSecret("any other text")).toBe(true);
  });
});
