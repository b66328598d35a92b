import { describe, expect, it } from "vitest";
import { checkedLookup, RefusedError } from "./checked-lookup.ts";
import { matchesHost, readAbsolute, readAuthority } from "./rules.ts";

describe("allow lists", () => {
  it.each([
    ["api.example.com", "api.example.com", true],
    ["API.Example.com.", "api.example.com", true],
    ["api.example.com", "x.api.example.com", false],
    ["*.example.com", "api.example.com", true],
    ["*.example.com", "a.b.example.com", true],
    ["*.example.com", "example.com", false],
    ["*.example.com", "badexample.com", false],
    ["*.example.com", "example.com.evil.test", false],
    ["*.0.0.1", "8.0.0.1", false],
    ["*", "example.com", false],
  ])("%s and %s: %s", (pattern, host, expected) => expect(matchesHost(pattern, host)).toBe(expected));
});

describe("destinations", () => {
  it("are read in one spelling", () => {
    expect(readAbsolute("HTTPS://EXAMPLE.com./a?b#c")).toEqual({
      host: "example.com",
      port: 443,
      secure: true,
      path: "/a?b",
    });
    expect(readAbsolute("http://0x7f.1/")).toMatchObject({ host: "127.0.0.1", port: 80 });
    expect(readAuthority("[::FFFF:127.0.0.1]:5432")).toMatchObject({ host: "::ffff:7f00:1", port: 5432 });
    expect(readAuthority("2130706433:22")).toMatchObject({ host: "127.0.0.1", port: 22 });
  });
  it.each([
    "a",
    "a:",
    ":80",
    "a:b",
    "a:99999",
    "a b:80",
    "u@a:80",
    "a/b:80",
    "[::1]",
    "::1:80",
    "http://a:80",
  ])("%s is none", (authority) => expect(readAuthority(authority)).toBeNull());
});

describe("checkedLookup", () => {
  const look = (lookup: ReturnType<typeof checkedLookup>, name: string) =>
    new Promise<unknown>((resolve) => {
      lookup(name, { all: true }, (error, addresses) => resolve(error ?? addresses));
    });

  it("connects to what it checked: a second answer is checked anew", async () => {
    let asked = 0;
    const lookup = checkedLookup(async () => [
      { address: ["8.8.8.8", "127.0.0.1"][asked++] ?? "127.0.0.1", family: 4 },
    ]);
    expect(await look(lookup, "rebinding.test")).toEqual([{ address: "8.8.8.8", family: 4 }]);
    expect(asked).toBe(1);
    expect(await look(lookup, "rebinding.test")).toBeInstanceOf(RefusedError);
  });

  it("gives no address when the name has none, and passes failures on", async () => {
    expect(
      await look(
        checkedLookup(async () => []),
        "none.test",
      ),
    ).toBeInstanceOf(Error);
    const failing = checkedLookup(async () => Promise.reject(new Error("no name server")));
    expect(await look(failing, "none.test")).toMatchObject({ message: "no name server" });
  });

  it("asks for few names at once", async () => {
    let [now, most] = [0, 0];
    const lookup = checkedLookup(async () => {
      most = Math.max(most, ++now);
      await new Promise((done) => setTimeout(done, 1));
      now -= 1;
      return [{ address: "8.8.8.8", family: 4 }];
    });
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => look(lookup, `n${i}.test`)));
    expect(all.every(Array.isArray)).toBe(true);
    expect(most).toBe(16);
  });
});
