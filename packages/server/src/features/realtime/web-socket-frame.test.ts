import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { textFrame } from "./web-socket-frame.ts";

let server: WebSocketServer;
let client: WebSocket;
let raw: Socket;
beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(server, "listening");
  const connected = once(server, "connection");
  client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const [, request]: [unknown, IncomingMessage] = (await connected) as never;
  raw = request.socket;
});
afterAll(() => {
  client.terminate();
  server.close();
});

/** What a WebSocket client makes of these bytes. */
async function read(bytes: Buffer, messages: number): Promise<string[]> {
  const got: string[] = [];
  const all = new Promise<void>((resolve, reject) => {
    client.once("error", reject);
    client.on("message", (data, isBinary) => {
      if (isBinary) reject(new Error("a binary message"));
      if (got.push(data.toString()) === messages) resolve();
    });
  });
  raw.write(bytes);
  await all;
  client.removeAllListeners();
  return got;
}

describe("textFrame", () => {
  it("is read as the text it was made of, at every length of the length", async () => {
    const sizes = [0, 1, 125, 126, 127, 65_535, 65_536, 200_000];
    const texts = sizes.flatMap((size) => ["x".repeat(size), "é".repeat(size / 2)]);
    expect(await read(Buffer.concat(texts.map(textFrame)), texts.length)).toEqual(texts);
  });

  it("is the shortest form, and frames in a row are read as as many messages", async () => {
    const texts = fc.array(
      fc.string({ unit: "binary", maxLength: 300 }).map((text) => text.toWellFormed()),
      {
        minLength: 1,
        maxLength: 20,
      },
    );
    await fc.assert(
      fc.asyncProperty(texts, async (sent) => {
        const frames = sent.map(textFrame);
        for (const [at, frame] of frames.entries()) {
          const length = Buffer.byteLength(sent[at]!);
          expect(frame.length - length).toBe(length < 126 ? 2 : 4);
        }
        expect(await read(Buffer.concat(frames), sent.length)).toEqual(sent);
      }),
      { seed: 6455, numRuns: 60 },
    );
  });
});
