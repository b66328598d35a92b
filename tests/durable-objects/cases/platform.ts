import { expect } from "vitest";
import type { AppCases } from "./types.ts";

const TRICKY = 'quotes " and \\ back\nnew line\ttab é ✓ 😀 $x %41';

/** What the platform gives besides storage. */
export const platform: AppCases = {
  name: "platform",
  programs: ["web-crypto", "url-pattern", "env-vars", "web-apis", "plain-class"],
  env: { GREETING: "hello", TRICKY, EMPTY: "", NUMBER_1: "42" },
  cases: [
    {
      name: "digests, signatures, ciphers",
      async run(client) {
        expect((await client.fetch("web-crypto/a")).json()).toMatchObject({
          good: true,
          bad: false,
          opened: "what is signed",
          proof: true,
          equal: true,
          uuid: true,
          random: true,
        });
      },
    },
    {
      name: "URLPattern and URL",
      async run(client) {
        expect((await client.fetch("url-pattern/a/users/ada%20b")).json()).toEqual({ user: "ada%20b" });
        expect((await client.fetch("url-pattern/a/files/x/y.txt")).json()).toEqual({ file: "x/y.txt" });
        expect((await client.fetch("url-pattern/a/n/12")).json()).toEqual({ n: 12 });
        expect((await client.fetch("url-pattern/a/n/twelve")).status).toBe(404);
        expect((await client.fetch("url-pattern/a/opt")).json()).toEqual({ a: null });
      },
    },
    {
      name: "variables arrive byte for byte",
      async run(client) {
        const reply = await client.fetch(
          "env-vars/a?name=GREETING&name=TRICKY&name=EMPTY&name=NUMBER_1&name=NONE",
        );
        expect(reply.json()).toEqual([
          ["GREETING", "hello", true, "string"],
          ["TRICKY", TRICKY, true, "string"],
          ["EMPTY", "", true, "string"],
          ["NUMBER_1", "42", true, "string"],
          ["NONE", null, true, "undefined"],
        ]);
      },
    },
    {
      name: "clones, forms, blobs, aborts, formats; eval is refused",
      async run(client) {
        expect((await client.fetch("web-apis/a")).json()).toMatchObject({
          aborted: "TimeoutError",
          heard: ["hey"],
          clone: [5, ["x"]],
          blob: ["bc", "text/x"],
          eval: "EvalError",
        });
        const boundary = "----suite";
        const body = [
          `--${boundary}\r\ncontent-disposition: form-data; name="a"\r\n\r\nvälue\r\n`,
          `--${boundary}\r\ncontent-disposition: form-data; name="f"; filename="n.txt"\r\ncontent-type: text/plain\r\n\r\nfile\r\n`,
          `--${boundary}--\r\n`,
        ].join("");
        const multipart = await client.fetch("web-apis/a", {
          method: "POST",
          headers: { "content-type": `multipart/form-data; boundary=${boundary}` },
          body,
        });
        expect(multipart.json()).toEqual([
          ["a", "välue"],
          ["f", { file: "n.txt", type: "text/plain", text: "file" }],
        ]);
        const encoded = await client.fetch("web-apis/a", {
          method: "POST",
          headers: { "content-type": "application/x-www-form-urlencoded" },
          body: "a=1+2&b=%C3%A9",
        });
        expect(encoded.json()).toEqual([
          ["a", "1 2"],
          ["b", "é"],
        ]);
      },
    },
    {
      name: "a class that extends nothing",
      async run(client) {
        await client.fetch("plain-class/a");
        expect((await client.fetch("plain-class/a")).json()).toEqual({
          visits: 2,
          born: "a",
          greeting: "hello",
        });
      },
    },
  ],
};
