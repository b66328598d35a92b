import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createAddressCheck, createGuardedFetch, isPublicAddress } from "./guarded-fetch.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let port: number;
let handler: Handler = (_request, response) => void response.end("ok");
let seen: { url: string | undefined; method: string | undefined; headers: IncomingMessage["headers"] }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push({ url: request.url, method: request.method, headers: request.headers });
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => new Promise<void>((resolve) => void server.close(() => resolve())));

/** A fetch for which `app.test` is this machine, by leave of the operator. */
function fetchTo(
  resolve?: (hostname: string) => Promise<{ address: string; family: number }[]>,
  allow = ["app.test"],
) {
  seen = [];
  return createGuardedFetch({
    allowPrivate: allow.map((name) => `${name}:${port}`),
    resolve: resolve ?? (async () => [{ address: "127.0.0.1", family: 4 }]),
  });
}
const refused = { code: "EXTERNAL_ADDRESS_REFUSED" };
const failed = { code: "EXTERNAL_NETWORK_ERROR" };

describe("which addresses are public", () => {
  it.each([
    "0.0.0.0",
    "127.0.0.1",
    "127.255.255.254",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "168.63.129.16",
    "::",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2001:db8::1",
    "2001::1",
    "100::1",
    "not an address",
    "",
  ])("%s is not", (address) => expect(isPublicAddress(address)).toBe(false));

  it.each(["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"])(
    "%s is",
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  it("agrees on an IPv4 address and its IPv4-mapped form", () => {
    fc.assert(fc.property(fc.ipV4(), (ip) => isPublicAddress(ip) === isPublicAddress(`::ffff:${ip}`)));
  });
});

describe("guarded fetch", () => {
  it.each([
    "http://127.0.0.1:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f.1:PORT/",
    "http://[::1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://0.0.0.0:PORT/",
    "ftp://app.test/",
    "file:///etc/passwd",
    "http://user:secret@app.test:PORT/",
    "nonsense",
  ])("refuses %s and never connects", async (url) => {
    await expect(fetchTo()(url.replace("PORT", String(port)))).rejects.toMatchObject(refused);
    expect(seen).toEqual([]);
  });

  it("refuses a name with one private address among public ones", async () => {
    const mixed = async () => [
      { address: "1.1.1.1", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ];
    await expect(fetchTo(mixed, [])(`http://app.test:${port}/`)).rejects.toMatchObject(refused);
  });

  it("resolves a name once and connects to what it checked", async () => {
    let lookups = 0;
    const fetch = fetchTo(async () => {
      lookups += 1;
      return [{ address: "127.0.0.1", family: 4 }];
    });
    const response = await fetch(`http://app.test:${port}/path?x=1`, { headers: { "x-mine": "1" } });
    expect(response).toMatchObject({ status: 200, body: Buffer.from("ok") });
    expect(seen[0]).toMatchObject({ url: "/path?x=1", headers: { host: `app.test:${port}`, "x-mine": "1" } });
    expect(lookups).toBe(1);
  });

  it("checks again at every redirect", async () => {
    handler = (_request, response) =>
      void response.writeHead(302, { location: `http://127.0.0.1:${port}/inside` }).end();
    await expect(fetchTo()(`http://app.test:${port}/`)).rejects.toMatchObject(refused);
    expect(seen).toHaveLength(1);
  });

  it("follows three redirects at most, and turns a POST into a GET without its body and credentials", async () => {
    handler = (request, response) => {
      if (request.url === "/done") return void response.end("done");
      response.writeHead(303, { location: `http://other.test:${port}/done` }).end();
    };
    const fetch = fetchTo(undefined, ["app.test", "other.test"]);
    const headers = { authorization: "Bearer x", "content-type": "text/plain" };
    const response = await fetch(`http://app.test:${port}/`, { method: "POST", body: "secret", headers });
    expect(response.body.toString()).toBe("done");
    expect(seen[1]!.method).toBe("GET");
    expect(seen[1]!.headers.authorization).toBeUndefined();
    expect(seen[1]!.headers["content-type"]).toBeUndefined();
    handler = (_request, again) => void again.writeHead(302, { location: "/again" }).end();
    await expect(fetchTo()(`http://app.test:${port}/`)).rejects.toMatchObject(failed);
    expect(seen).toHaveLength(4);
  });

  it("bounds the body and the time", async () => {
    handler = (_request, response) => void response.end("x".repeat(1_000));
    await expect(fetchTo()(`http://app.test:${port}/`, { maxBytes: 999 })).rejects.toMatchObject(failed);
    handler = (_request, response) => void response.write("first bytes, then nothing");
    await expect(fetchTo()(`http://app.test:${port}/`, { timeoutMs: 100 })).rejects.toMatchObject(failed);
    const never = fetchTo(() => new Promise(() => {}));
    await expect(never(`http://app.test:${port}/`, { timeoutMs: 50 })).rejects.toMatchObject(failed);
  });

  it("tells of an unreachable server without telling more", async () => {
    const fetch = createGuardedFetch({ allowPrivate: ["127.0.0.1:1"] });
    await expect(fetch("http://127.0.0.1:1/")).rejects.toMatchObject({
      ...failed,
      message: "127.0.0.1:1 could not be reached.",
    });
  });
});

describe("checking a URL before anything is called", () => {
  it("goes by the same rules as calling it", async () => {
    const addresses: Record<string, string[]> = {
      "public.test": ["8.8.8.8"],
      "mixed.test": ["8.8.8.8", "10.0.0.1"],
      "app.test": ["10.0.0.1"],
      "none.test": [],
    };
    const check = createAddressCheck({
      allowPrivate: ["APP.test:8080"],
      resolve: async (name) => addresses[name]!.map((address) => ({ address, family: 4 })),
    });
    await check("https://public.test/");
    await check("http://app.test:8080/path");
    await expect(check("http://app.test/")).rejects.toMatchObject(refused);
    await expect(check("http://mixed.test/")).rejects.toMatchObject(refused);
    await expect(check("http://[::ffff:127.0.0.1]/")).rejects.toMatchObject(refused);
    await expect(check("ftp://public.test/")).rejects.toMatchObject(refused);
    await expect(check("http://none.test/")).rejects.toMatchObject(failed);
  });
});
