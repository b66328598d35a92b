import { expect } from "vitest";
import type { AppCases } from "./types.ts";

const BROKEN = ["sync", "async", "late", "string", "wrong-type", "nothing", "read-twice", "bad-status"];

/** Errors, statuses, headers, addresses. */
export const failures: AppCases = {
  name: "failures",
  programs: ["failures", "statuses", "header-echo", "paths", "forwarder"],
  byOwnName: true,
  cases: [
    ...BROKEN.map((verb) => ({
      name: `a request that fails (${verb}) is a 500 that tells nothing, and the instance goes on`,
      async run(client: Parameters<AppCases["cases"][number]["run"]>[0]) {
        const failed = await client.fetch(`failures/${verb}/${verb}`, { compare: "status" });
        expect(failed.status).toBe(500);
        expect(failed.text).not.toContain("inner secret");
        expect((await client.fetch(`failures/${verb}/fine`)).text).toBe("request 2");
      },
    })),
    {
      name: "an instance whose constructor throws fails alone",
      async run(client) {
        for (let n = 0; n < 2; n++) {
          const failed = await client.fetch("failures/stillborn/fine", { compare: "status" });
          expect(failed.status).toBe(500);
          expect(failed.text).not.toContain("inner secret");
        }
        expect((await client.fetch("failures/alive/fine")).text).toBe("request 1");
      },
    },
    {
      name: "an unknown class is 404",
      async run(client) {
        expect((await client.fetch("nothing-here/a", { compare: "status" })).status).toBe(404);
      },
    },
    {
      name: "statuses with and without a body, HEAD, redirects",
      async run(client) {
        for (const status of [200, 201, 202, 204, 205, 299, 304, 400, 404, 418, 429, 500, 503, 599]) {
          const reply = await client.fetch(`statuses/a?status=${status}`);
          expect([reply.status, reply.text]).toEqual([
            status,
            [204, 205, 304].includes(status) ? "" : `status ${status}`,
          ]);
        }
        const head = await client.fetch("statuses/a", { method: "HEAD" });
        expect([head.status, head.text, head.headers["x-test-method"]]).toEqual([200, "", "HEAD"]);
        for (const status of [301, 302, 303, 307, 308]) {
          const reply = await client.fetch(`statuses/a/redirect?status=${status}`);
          expect([reply.status, reply.headers.location]).toEqual([
            status,
            expect.stringMatching(/\/elsewhere\?a=1#frag$/),
          ]);
        }
        expect((await client.fetch("statuses/a/relative?status=302")).headers.location).toBe("../up");
        expect((await client.fetch("statuses/a/empty")).headers["content-length"]).toBe("0");
      },
    },
    {
      name: "headers and methods arrive as sent, and go back as made",
      async run(client) {
        const reply = await client.fetch("header-echo/a", {
          method: "PATCH",
          headers: {
            "X-Test-One": "1",
            "x-test-two": ["a", "b"],
            "x-test-spaces": "  inner  spaces  ",
            "x-test-latin": "caf\u00e9",
            accept: "text/x; q=0.5, */*",
            "content-type": "application/x-own; v=1",
            "user-agent": "suite/1.0",
            cookie: "a=1; b=2",
          },
          body: "payload",
        });
        expect(reply.json()).toMatchObject({
          sent: expect.arrayContaining([
            ["x-test-one", "1"],
            ["x-test-two", "a, b"],
          ]),
          accept: "text/x; q=0.5, */*",
          type: "application/x-own; v=1",
          agent: "suite/1.0",
          cookie: "a=1; b=2",
          body: "payload",
          method: "PATCH",
        });
        expect(reply.headers["x-test-many"]).toBe("one, two, three");
        expect(reply.headers["x-test-long"]).toHaveLength(4_000);
        for (const method of ["PUT", "DELETE", "POST", "OPTIONS"]) {
          expect((await client.fetch("header-echo/a", { method })).json().method).toBe(method);
        }
      },
    },
    {
      name: "paths, queries and names of instances, in every spelling",
      async run(client) {
        const seen = async (path: string) => (await client.fetch(path)).json();
        expect(await seen("paths/plain")).toMatchObject({
          name: "plain",
          path: "/_do/paths/plain",
          search: "",
        });
        expect(await seen("paths/a%20b/c%20d?e%20f=%26")).toMatchObject({
          name: "a b",
          query: [["e f", "&"]],
        });
        expect(await seen("paths/sl%2Fash/rest")).toMatchObject({ name: "sl/ash" });
        expect(await seen("paths/%E2%9C%93%20%F0%9F%98%80")).toMatchObject({ name: "✓ 😀" });
        expect(await seen("paths/a+b")).toMatchObject({ name: "a+b" });
        expect(await seen("paths/%61bc")).toMatchObject({ name: "abc" });
        expect(await seen("paths/UPPER")).toMatchObject({ name: "UPPER" });
        expect(await seen("paths/x/")).toMatchObject({ path: "/_do/paths/x/" });
        expect(await seen("paths/x//double///slash")).toMatchObject({ path: "/_do/paths/x//double///slash" });
        expect(await seen("paths/x?a=1&a=2&b&=c&d=%F0%9F%98%80&e=+")).toMatchObject({
          query: [
            ["a", "1"],
            ["a", "2"],
            ["b", ""],
            ["", "c"],
            ["d", "😀"],
            ["e", " "],
          ],
        });
        expect(await seen("paths/x?")).toMatchObject({ search: "" });
        expect(await seen("paths/a:b@c,d;e=f!$'()*~")).toMatchObject({ name: "a:b@c,d;e=f!$'()*~" });
        expect(await seen(`paths/${"n".repeat(500)}/r`)).toMatchObject({ name: "n".repeat(500) });
        expect(await seen("paths/x/%2e%2Fraw%3F?token=kept")).toMatchObject({ host: true });
      },
    },
    {
      name: "a request is cloned, changed and handed on",
      async run(client) {
        const reply = await client.fetch("forwarder/a", { method: "POST", body: "carry this" });
        expect([reply.status, reply.text]).toEqual([203, "POST forwarder carry this"]);
        expect([reply.headers["x-test-origin"], reply.headers["x-test-seen"]]).toEqual(["target", "10"]);
      },
    },
  ],
};
