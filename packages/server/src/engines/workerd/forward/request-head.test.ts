import { describe, expect, it } from "vitest";
import { framingOf, requestHead } from "./request-head.ts";

const get = (path: string, ...headers: string[]) => ({ method: "GET", path, headers });

describe("requestHead", () => {
  it("writes what it is given, without what belongs to the hop", () => {
    const head = requestHead(
      get(
        "/_do/a/b?c",
        "Host",
        "x.test:80",
        "Connection",
        "keep-alive",
        "X-A",
        "1",
        "x-a",
        "2",
        "TE",
        "trailers",
        "Expect",
        "100-continue",
      ),
      "none",
    );
    expect(head).toBe("GET /_do/a/b?c HTTP/1.1\r\nHost: x.test:80\r\nX-A: 1\r\nx-a: 2\r\n\r\n");
  });

  it("says the length itself, once", () => {
    const head = requestHead(get("/_do/a/b", "Content-Length", "9", "Transfer-Encoding", "chunked"), {
      length: 3,
    });
    expect(head).toBe("GET /_do/a/b HTTP/1.1\r\nContent-Length: 3\r\n\r\n");
  });

  it.each([
    ["a line break in a value", get("/a", "X", "1\r\nY: 2")],
    ["a character that ends the line once it is one byte", get("/a", "X", "1\u010d\u010aY: 2")],
    ["a space in the path", get("/a b")],
    ["a line break in the path", get("/a\r\nX: 1")],
    ["a path that is a URL", get("http://x/")],
    ["a host that brings a path", get("/_do/a/b", "Host", "x/_ambit/inspect/a/name/b?")],
    ["a host with credentials", get("/_do/a/b", "host", "user@x")],
    ["a method with a space", { method: "GET /x", path: "/a", headers: [] }],
  ])("refuses %s", (_name, exchange) => {
    expect(() => requestHead(exchange, "none")).toThrow();
  });

  it("drops a header whose name is no token", () => {
    expect(requestHead(get("/a", "X Y", "1", "X:Y", "2", "", "3"), "none")).toBe("GET /a HTTP/1.1\r\n\r\n");
  });
});

describe("framingOf", () => {
  it("takes the body's own length over the header's", () => {
    const headers = ["content-length", "99"];
    expect(framingOf({ method: "POST", headers, body: Buffer.from("abc") })).toEqual({ length: 3 });
    expect(framingOf({ method: "POST", headers, body: null })).toEqual({ length: 0 });
    expect(framingOf({ method: "GET", headers, body: null })).toBe("none");
  });
});
