import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { secretsOf, withoutSecrets } from "./secrets.ts";

const TOKEN = "upstream-token-8c1f0d";
const read = (message: Record<string, unknown>) => ({ text: JSON.stringify(message), message });
const cleaned = (message: Record<string, unknown>, headers: Record<string, string>) =>
  withoutSecrets(read(message), secretsOf(headers));

describe("what a server repeats of its own credentials", () => {
  it("is taken out, with its scheme and without", () => {
    const message = { error: { message: `tried Bearer ${TOKEN}`, data: { [TOKEN]: [`x${TOKEN}x`] } } };
    expect(cleaned(message, { Authorization: `Bearer ${TOKEN}` })?.message).toEqual({
      error: { message: "tried [credential]", data: { "[credential]": ["x[credential]x"] } },
    });
  });

  it("is found as JSON writes it", () => {
    const key = 'a"b\\c"d\\e';
    expect(cleaned({ result: `key ${key}` }, { "X-Api-Key": key })?.text).toBe(
      '{"result":"key [credential]"}',
    );
  });

  it("leaves alone what authenticates nobody, and what is too short to be told apart", () => {
    const message = { result: "eu-central-1 and abc" };
    const it = read(message);
    expect(withoutSecrets(it, secretsOf({ "X-Region": "eu-central-1", "X-Api-Key": "abc" }))).toBe(it);
  });

  it("makes a message that is none without it unreadable", () => {
    expect(cleaned({ result: 1234567890 }, { "X-Api-Key": "1234567890" })).toBeNull();
  });

  it("is in no text that comes out, whatever it is and wherever it stands", () => {
    const secret = fc.string({ unit: fc.constantFrom(...'ab"\\ c]['), minLength: 8, maxLength: 20 });
    fc.assert(
      fc.property(secret, fc.array(fc.string()), (value, others) => {
        const clean = cleaned({ result: others.join(value) + value }, { token: value });
        const said = clean === null ? "" : String(clean.message.result);
        return !said.includes(value);
      }),
      { seed: 7 },
    );
  });
});
