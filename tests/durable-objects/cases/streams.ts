import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { expect } from "vitest";
import type { AppCases } from "./types.ts";

async function* pieces(count: number, size: number): AsyncGenerator<Buffer> {
  for (let n = 0; n < count; n++) yield Buffer.alloc(size, n);
}

/** Bodies that are read and written while they are on their way. */
export const streams: AppCases = {
  name: "streams",
  programs: ["stream-in", "stream-out", "sse", "compression", "text-streams"],
  byOwnName: true,
  cases: [
    {
      name: "a large body is read as it comes",
      async run(client) {
        const reply = await client.fetch("stream-in/a/hash", { method: "POST", body: pieces(50, 65_000) });
        const hash = createHash("sha256");
        for await (const piece of pieces(50, 65_000)) hash.update(piece);
        expect(reply.json()).toEqual({ sha: hash.digest("hex").slice(0, 40), bytes: 3_250_000 });
        const lines = await client.fetch("stream-in/a/lines", {
          method: "POST",
          body: "one\ntwo\nthree é",
        });
        expect(lines.json()).toEqual({ lines: 2, rest: "three é" });
        expect((await client.fetch("stream-in/a/hash")).text).toBe("no body");
        const echo = await client.fetch("stream-in/a/echo", { method: "PUT", body: pieces(20, 50_000) });
        expect(echo.body.length).toBe(1_000_000);
      },
    },
    {
      name: "bodies go both ways at once",
      async run(client) {
        const sent = Promise.withResolvers<void>();
        async function* body() {
          yield "first ";
          await sent.promise;
          yield "second";
        }
        const stream = await client.stream("stream-in/b/echo", { method: "POST", body: body() });
        expect(await stream.until("first ")).toBe("first ");
        sent.resolve();
        expect((await stream.rest()).toString()).toBe("first second");
      },
    },
    {
      name: "the first part of an answer arrives before the last is made",
      async run(client) {
        const stream = await client.stream("stream-out/a/slow");
        expect(await stream.until("first ")).toBe("first ");
        await client.fetch("stream-out/a/release");
        expect((await stream.rest()).toString()).toBe("first last");
        const big = await client.fetch("stream-out/a/big");
        expect(big.body.length).toBe(64 * 65_536);
      },
    },
    {
      name: "a reader who goes away is noticed; a source that breaks off is not taken for whole",
      async run(client) {
        const stream = await client.stream("stream-out/b/endless");
        await stream.until("more more ");
        stream.abort();
        await client.poll("stream-out/b/cancelled", (reply) => reply.text === "yes");
        const broken = await client
          .stream("stream-out/b/broken")
          .then((answer) => answer.rest())
          .then(
            (body) => `whole: ${body}`,
            () => "cut off",
          );
        client.note("broken", broken);
        expect(broken).toBe("cut off");
      },
    },
    {
      name: "server-sent events come one by one",
      async run(client) {
        const one = await client.stream("sse/news", { headers: { "last-event-id": "41" } });
        const two = await client.stream("sse/news");
        expect(one.headers["content-type"]).toBe("text/event-stream");
        await one.until(": hello 41\n\n");
        await two.until(": hello new\n\n");
        for (let n = 1; n <= 3; n++) {
          await client.fetch("sse/news", { method: "POST", body: `headline ${n}` });
          await one.until(`id: ${n}\nevent: news\ndata: headline ${n}\n\n`);
        }
        client.note("two", await two.until("headline 3\n\n"));
        one.abort();
        two.abort();
      },
    },
    {
      name: "compression by hand, by header, and of what comes in",
      async run(client) {
        const long = "so much of the same ".repeat(500);
        for (const verb of ["encoded", "manual"]) {
          const reply = await client.fetch(`compression/a/${verb}`, {
            headers: { "accept-encoding": "gzip" },
            compare: "status",
          });
          expect([reply.headers["content-encoding"], gunzipSync(reply.body).toString()]).toEqual([
            "gzip",
            long,
          ]);
        }
        const inflated = await client.fetch("compression/a/inflate", {
          method: "POST",
          body: gzipSync("squeezed"),
        });
        expect(inflated.text).toBe("squeezed");
        expect((await client.fetch("compression/a/formats")).json()).toEqual([
          ["gzip", true, true],
          ["deflate", true, true],
          ["deflate-raw", true, true],
          "TypeError",
        ]);
      },
    },
    {
      name: "encoders, decoders and transforms",
      async run(client) {
        expect((await client.fetch("text-streams/a")).json()).toMatchObject({
          text: "grüße 😀",
          fatal: "TypeError",
          replaced: "a\ufffd",
        });
        const reply = await client.fetch("text-streams/a", { method: "POST", body: "straße" });
        expect(reply.text).toBe("STRASSE — end");
      },
    },
  ],
};
