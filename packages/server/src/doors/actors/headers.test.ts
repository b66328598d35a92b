import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ANONYMOUS, type KeyPrincipal, type UserPrincipal } from "../../kernel/principal.ts";
import { requestHeaders } from "./headers.ts";

const options = {
  requestId: "r1",
  principal: ANONYMOUS,
  host: "notes.localhost:4000",
  ip: "10.0.0.9",
  ownHost: false,
} as const;
const user: UserPrincipal = { kind: "user", appId: "app_a", userId: "u1", claims: {}, expiresAtMs: 1 };
const key: KeyPrincipal = {
  kind: "key",
  keyId: "k1",
  keyKind: "agent",
  accountId: "a1",
  organizationId: "o1",
  role: "owner",
  scopes: ["*"],
  expiresAtMs: null,
};
/** Values of a name in a flat list. */
const valuesOf = (flat: readonly string[], name: string) =>
  flat.filter((_, i) => i % 2 === 1 && flat[i - 1]!.toLowerCase() === name);

describe("what user code is told", () => {
  it("says who calls, and lets nobody else say it", () => {
    const forged = [
      ...[
        "X-Butterbase-Caller-User",
        "victim",
        "x-ambit-invocation",
        "i",
        "X-Request-Id",
        "mine",
        "CF-Worker",
        "x",
      ],
      ...["X-Forwarded-For", "1.1.1.1", "cf-connecting-ip", "1.1.1.1", "Host", "evil", "accept", "*/*"],
    ];
    const told = requestHeaders(forged, { ...options, principal: user });
    expect(valuesOf(told, "x-butterbase-caller-user")).toEqual(["u1"]);
    expect(valuesOf(told, "x-butterbase-caller-type")).toEqual(["end_user_jwt"]);
    expect(valuesOf(told, "x-request-id")).toEqual(["r1"]);
    expect(valuesOf(told, "host")).toEqual(["notes.localhost:4000"]);
    expect(valuesOf(told, "x-forwarded-for")).toEqual([]);
    expect(valuesOf(told, "cf-connecting-ip")).toEqual(["10.0.0.9"]);
    expect(valuesOf(told, "accept")).toEqual(["*/*"]);
    expect(told.join()).not.toMatch(/victim|mine|evil|x-ambit|cf-worker/i);
    expect(valuesOf(requestHeaders([], { ...options, principal: key }), "x-butterbase-caller-key")).toEqual([
      "k1",
    ]);
  });
  it("holds no forged identity, however it is spelt", () => {
    const name = fc
      .constantFrom("x-butterbase-", "X-Ambit-", "X-BUTTERBASE-Caller-", "cf-")
      .chain((prefix) => fc.stringMatching(/^[a-zA-Z-]{1,20}$/).map((rest) => prefix + rest));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, fc.constant("forged"))),
        (pairs) => !requestHeaders(pairs.flat(), options).includes("forged"),
      ),
    );
  });
  it("keeps platform keys and the API host's cookies outside", () => {
    const sent = ["Authorization", "Bearer bb_sk_123", "Cookie", "a=b"];
    expect(requestHeaders(sent, options).join()).not.toMatch(/bb_sk|a=b/);
    expect(valuesOf(requestHeaders(sent, { ...options, ownHost: true }), "cookie")).toEqual(["a=b"]);
    expect(valuesOf(requestHeaders(["authorization", "Bearer a.b.c"], options), "authorization")).toEqual([
      "Bearer a.b.c",
    ]);
  });
  it("passes no header of the connection's own", () => {
    const sent = [
      "Connection",
      "close, X-Hop",
      "X-Hop",
      "1",
      "Transfer-Encoding",
      "chunked",
      "TE",
      "trailers",
    ];
    expect(requestHeaders(sent, options).join().toLowerCase()).not.toMatch(
      /x-hop|chunked|trailers|connection,/,
    );
  });
});
