import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isActorUrl, readActorUrl } from "./path.ts";

describe("which URLs are an instance's", () => {
  it("takes class and instance, with anything behind", () => {
    for (const url of [
      "/v1/app_a/do/room/x",
      "/v1/~notes/do/room/x/",
      "/v1/app_a/do/room/x?y",
      "/v1/app_a/do/room/x/y/z",
    ])
      expect(isActorUrl(url), url).toBe(true);
  });
  it("leaves the rest to others", () => {
    for (const url of [
      "/v1/app_a/do",
      "/v1/app_a/do/room",
      "/v1/app_a/do/room/",
      "/v1/app_a/do//x",
      "/v1/app_a/dogs/room/x",
      "/v1/app_a/durable-objects/room/x",
      "/v2/app_a/do/room/x",
      "/health",
      "/",
    ])
      expect(isActorUrl(url), url).toBe(false);
  });
});

describe("what a URL means", () => {
  it("reads app, class, instance, rest and query", () => {
    expect(readActorUrl("/v1/app_a/do/chat-room/a%20b%2Fc/x//y?z=1?2")).toEqual({
      appReference: "app_a",
      className: "chat-room",
      instance: "a b/c",
      path: "/_do/chat-room/a%20b%2Fc/x//y",
      query: "z=1?2",
    });
    expect(readActorUrl("/v1/~notes/do/room/x?")).toMatchObject({ path: "/_do/room/x", query: "" });
  });
  it("settles dots inside the instance and refuses those that lead out of it", () => {
    expect(readActorUrl("/v1/app_a/do/room/x/a/../b").path).toBe("/_do/room/x/b");
    expect(readActorUrl("/v1/app_a/do/room/.well-known").path).toBe("/_do/room/.well-known");
    for (const rest of [
      "x/..",
      "x/../y",
      "x/../../../_ambit/health",
      "x/%2e%2E/%2e./z",
      "..",
      "%2e%2e/y",
      "x\\..\\..\\y",
    ])
      expect(() => readActorUrl(`/v1/app_a/do/room/${rest}`), rest).toThrow("leads out");
  });
  it("refuses bad encodings, null characters and names without end", () => {
    for (const name of ["%", "%ff", "a%00b", "x".repeat(1025), "%C3%A9".repeat(513)])
      expect(() => readActorUrl(`/v1/app_a/do/room/${name}`), name.slice(0, 10)).toThrow();
  });
  it("never gives a path that a URL parser takes for another instance's", () => {
    const piece = fc.constantFrom(
      "a",
      "/",
      "..",
      ".",
      "%2e",
      "%2E",
      "\\",
      "#",
      "%2f",
      "_ambit",
      "?",
      "%5c",
      "é",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        let path: string;
        try {
          path = readActorUrl(`/v1/app_a/do/room/x${pieces.join("")}`).path;
        } catch {
          return true;
        }
        const parsed = new URL(`http://host${path}`).pathname.split("/");
        const wanted = decodeURIComponent(path.split("/")[3]!);
        return parsed[1] === "_do" && parsed[2] === "room" && decodeURIComponent(parsed[3]!) === wanted;
      }),
      { numRuns: 2_000 },
    );
  });
});
