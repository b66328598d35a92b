import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Secrets } from "./secrets.ts";

const secrets = new Secrets(randomBytes(32));

describe("Secrets", () => {
  it("opens what it sealed, whatever the text", () => {
    const text = fc.string({ unit: "binary" }).filter((each) => each.isWellFormed());
    fc.assert(
      fc.property(
        text,
        fc.string(),
        (value, context) => secrets.open("p", secrets.seal("p", value, context), context) === value,
      ),
    );
  });

  it("refuses another purpose, another context, another key and a changed byte", () => {
    const sealed = secrets.seal("p", "text", "app_a");
    expect(() => secrets.open("q", sealed, "app_a")).toThrow();
    expect(() => secrets.open("p", sealed, "app_b")).toThrow();
    expect(() => new Secrets(randomBytes(32)).open("p", sealed, "app_a")).toThrow();
    const [version, nonce, tag, body] = sealed.split(".") as [string, string, string, string];
    const flipped = Buffer.from(body, "base64url");
    flipped[0]! ^= 1;
    expect(() =>
      secrets.open("p", [version, nonce, tag, flipped.toString("base64url")].join("."), "app_a"),
    ).toThrow();
    expect(() => secrets.open("p", "nonsense")).toThrow("not a sealed value");
  });

  it("derives the same for the same name and purpose only", () => {
    expect(secrets.derive("p", "a")).toBe(secrets.derive("p", "a"));
    expect(new Set([secrets.derive("p", "a"), secrets.derive("q", "a"), secrets.derive("p", "b")]).size).toBe(
      3,
    );
  });
});
