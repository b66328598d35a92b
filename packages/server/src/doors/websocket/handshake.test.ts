import { describe, expect, it } from "vitest";
import { rewriteUrl } from "../http/subdomain.ts";
import { readRequest } from "./handshake.ts";

const read = (url: string, headers: Record<string, string> = {}) =>
  readRequest(rewriteUrl(url, headers.host, "localhost"), headers);

describe("readRequest", () => {
  it("knows the paths of realtime and no others", () => {
    expect(read("/v1/app_abc/realtime")).toEqual({ appReference: "app_abc", authorization: undefined });
    expect(read("/v1/~notes/realtime/?x=1")?.appReference).toBe("~notes");
    expect(read("/realtime", { host: "notes.localhost:4000" })?.appReference).toBe("~notes");
    for (const url of [
      "/",
      "/v1/app_abc/realtime/config",
      "/v1/other/realtime",
      "/v1/app_abc/do/x/y",
      "/realtime",
    ]) {
      expect(read(url, { host: "localhost:4000" })).toBeNull();
    }
  });

  it("takes the credential from the header, else from the sub-protocol, else from the query", () => {
    const url = "/v1/app_abc/realtime?token=a%20b";
    const protocols = { "sec-websocket-protocol": "bearer, tok.en" };
    expect(read(url)?.authorization).toBe("Bearer a b");
    expect(read(url, protocols)?.authorization).toBe("Bearer tok.en");
    expect(read(url, { ...protocols, authorization: "Bearer x" })?.authorization).toBe("Bearer x");
    expect(read("/v1/app_abc/realtime?token=")?.authorization).toBeUndefined();
    expect(read(url, { "sec-websocket-protocol": "bearer" })?.authorization).toBe("Bearer a b");
  });
});
