import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { textFrame } from "../../../packages/server/src/features/realtime/web-socket-frame.ts";
import { serve } from "../../harness/child.ts";
import { idOf } from "./ids.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const sockets: { readonly socket: Socket; readonly group: number; turn: number }[] = [];

/** Takes any upgrade at `/group/<group>`, and reads nothing after. */
const server = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => {});
  socket.once("data", (head) => {
    const text = head.toString("latin1");
    const key = /sec-websocket-key: (\S+)/i.exec(text)?.[1] ?? "";
    const accept = createHash("sha1")
      .update(key + GUID)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.write(textFrame('{"type":"connected"}'));
    socket.resume();
    sockets.push({ socket, group: Number(/^GET \/group\/(\d+)/.exec(text)?.[1]), turn: 0 });
  });
});

/** A process that only writes to sockets: what is left when nothing has to be read, decided or made. */
const commands = {
  async listen(_: null): Promise<number> {
    server.listen(0, "127.0.0.1", 8_192);
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  },
  /** Makes `rounds` frames of about `bytes` for each socket, then writes each by itself; when it began. */
  async write({ rounds, bytes }: { rounds: number; bytes: number }): Promise<number> {
    const frames = Array.from({ length: rounds }, (_, round) =>
      sockets.map((each) => {
        const head = `{"type":"change","table":"owned","op":"INSERT","record":{"id":${idOf(each.group, each.turn + round + 1)},"at":0,"body":"`;
        return textFrame(`${head}${"x".repeat(Math.max(0, bytes - head.length - 3))}"}}`);
      }),
    );
    const beganAtMs = performance.timeOrigin + performance.now();
    for (const round of frames) {
      for (const [at, frame] of round.entries()) {
        sockets[at]!.socket.write(frame);
        sockets[at]!.turn += 1;
      }
      await new Promise(setImmediate);
    }
    return beganAtMs;
  },
};
export type BareCommands = typeof commands;

serve(commands);
