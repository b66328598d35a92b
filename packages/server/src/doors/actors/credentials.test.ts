import { describe, expect, it } from "vitest";
import { withoutParameters } from "../http/query.ts";
import { readCredential, withoutCredential } from "./credentials.ts";

const offer = (...protocols: string[]) => ({ "sec-websocket-protocol": protocols.join(", ") });

describe("how a WebSocket says who it is", () => {
  it("takes the header, the sub-protocol, the ticket, the token, in this order", () => {
    const all = { authorization: "Bearer h", ...offer("bearer", "p") };
    expect(readCredential(all, "ticket=t&token=q")).toEqual({ from: "header", authorization: "Bearer h" });
    expect(readCredential(offer("chat", "bearer", "p"), "ticket=t")).toEqual({
      from: "protocol",
      token: "p",
    });
    expect(readCredential({}, "token=q&ticket=t")).toEqual({ from: "ticket", ticket: "t" });
    expect(readCredential({}, "a=1&token=q%2E")).toEqual({ from: "token", token: "q." });
    expect(readCredential(offer("bearer"), null)).toBeNull();
  });
});

describe("what user code sees of it", () => {
  it("nothing of an accepted credential", () => {
    expect(withoutCredential(offer("bearer", "p", "chat"), "a=1&token=q&b=%20&ticket=t", true)).toEqual({
      protocols: ["chat"],
      query: "a=1&b=%20",
      select: "bearer",
    });
    expect(withoutCredential(offer("bearer", "p"), "token=q", true)).toEqual({
      protocols: [],
      query: null,
      select: "bearer",
    });
  });
  it("what was none of Ambit's stays as it was, but for platform keys", () => {
    expect(withoutCredential(offer("bearer", "p"), "token=q", false)).toEqual({
      protocols: undefined,
      query: "token=q",
      select: undefined,
    });
    expect(withoutCredential(offer("bearer", "bb_sk_1", "chat"), "token=bb_sk_1&a=1", false)).toEqual({
      protocols: ["chat"],
      query: "a=1",
      select: "bearer",
    });
  });
});

it("leaves what stays of a query byte for byte", () => {
  const drop = (name: string) => name === "token";
  expect(withoutParameters("a=%41&&b&=c&d=1+2", drop)).toBe("a=%41&&b&=c&d=1+2");
  expect(withoutParameters("tok%65n=1&a=%41&token", drop)).toBe("a=%41");
  expect(withoutParameters(null, drop)).toBeNull();
});
