import { describe, expect, it } from "vitest";
import { requestHeaders } from "./headers.ts";
import { isUnder, readUrl, withoutKeys } from "./url.ts";

describe("URLs", () => {
  it("are the lane's when they are, and read in one way", () => {
    for (const url of ["/v1/app_a/fn/x", "/v1/~notes/fn/x/y?z"]) expect(isUnder(url, "fn")).toBe(true);
    for (const url of [
      "/v1/app_a/fnx/y",
      "/v1/app_a/fn",
      "/v1//fn/x",
      "/v2/app_a/fn/x",
      "/v1/app_a/x/fn/y",
      "/fn/x",
    ])
      expect(isUnder(url, "fn")).toBe(false);
    expect(readUrl("/v1/app_a/fn/hello", "fn")).toEqual({ reference: "app_a", name: "hello", rest: "" });
    expect(readUrl("/v1/~notes/fn/he-l_lo/a%20b/?q=1/2", "fn")).toEqual({
      reference: "~notes",
      name: "he-l_lo",
      rest: "/a%20b/?q=1/2",
    });
    for (const url of ["/v1/app_a/fn/", "/v1/app_a/fn/a%2fb", "/v1/APP/fn/x", "/v1/app_a/fn/-x"])
      expect(readUrl(url, "fn")).toBeNull();
  });
});

it("keys in a query stay outside", () => {
  expect(withoutKeys("/a?x=1&key=bb_sk_1&y=2")).toBe("/a?x=1&y=2");
  expect(withoutKeys("?key=bb_sub_1")).toBe("");
  expect(withoutKeys("/bb_sk_path?x=bb_s")).toBe("/bb_sk_path?x=bb_s");
});

describe("request headers", () => {
  it("lose what outsiders may not say", () => {
    const raw = [
      ...["Host", "evil", "X-Butterbase-Caller-User", "u", "x-AMBIT-context", "{}", "X-Request-Id", "1"],
      ...["Authorization", "Bearer bb_sk_secret", "X-Api-Key", "bb_sub_secret", "X-Forwarded-For", "1.1.1.1"],
      ...["CF-IPCountry", "DE", "Accept", "a", "accept", "b", "Cookie", "c=1"],
    ];
    expect(requestHeaders(raw, "notes.localhost", false)).toEqual([
      ...["host", "notes.localhost", "Accept", "a", "accept", "b"],
    ]);
    expect(requestHeaders(raw, "h", true)).toContain("c=1");
    expect(requestHeaders(["Authorization", "Bearer a.b.c"], "h", false)).toContain("Bearer a.b.c");
    expect(requestHeaders(["Authorization", "BEARER  bb_SK_x"], "h", false)).toEqual(["host", "h"]);
  });

  it("lose what belongs to the connection, and only that", () => {
    const raw = ["Connection", "close, X-Hop, host", "X-Hop", "1", "X-Mine", "x-hop"];
    expect(requestHeaders(raw, "h", false)).toEqual(["host", "h", "X-Mine", "x-hop"]);
    expect(requestHeaders(["Connection", "keep-alive", "A", "1"], "h", false)).toEqual([
      "host",
      "h",
      "A",
      "1",
    ]);
  });
});
