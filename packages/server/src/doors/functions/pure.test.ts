import { describe, expect, it } from "vitest";
import { isUnder, readUrl, restWithoutKeys } from "./url.ts";

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
  expect(restWithoutKeys("/a?x=1&key=bb_sk_1&y=2")).toBe("/a?x=1&y=2");
  expect(restWithoutKeys("?key=bb_sub_1")).toBe("");
  expect(restWithoutKeys("/bb_sk_path?x=bb_s")).toBe("/bb_sk_path?x=bb_s");
});
