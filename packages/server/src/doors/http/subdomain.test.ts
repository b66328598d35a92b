import { describe, expect, it } from "vitest";
import { rewriteUrl, subdomainOf } from "./subdomain.ts";

describe("subdomainOf", () => {
  it("finds the label and nothing else", () => {
    expect(subdomainOf("notes.localhost:4000", "localhost")).toBe("notes");
    expect(subdomainOf("NOTES.LOCALHOST", "localhost")).toBe("notes");
    for (const host of [
      undefined,
      "localhost:4000",
      "a.b.localhost",
      "127.0.0.1:4000",
      "evil-localhost",
      "-.localhost",
    ]) {
      expect(subdomainOf(host, "localhost")).toBeNull();
    }
  });
});

describe("rewriteUrl", () => {
  it("puts an app's own paths where the router knows them", () => {
    const on = (url: string) => rewriteUrl(url, "notes.localhost", "localhost");
    expect(on("/data/notes?id=eq.1")).toBe("/v1/~notes/data/notes?id=eq.1");
    expect(on("/auth/login")).toBe("/auth/~notes/login");
    expect(on("/realtime?token=x")).toBe("/v1/~notes/realtime?token=x");
    expect(on("/schema")).toBe("/v1/~notes/schema");
    expect(on("/database")).toBe("/database");
    expect(on("/v1/app_a/notes")).toBe("/v1/app_a/notes");
    expect(rewriteUrl("/data/notes", "localhost", "localhost")).toBe("/data/notes");
  });
});
