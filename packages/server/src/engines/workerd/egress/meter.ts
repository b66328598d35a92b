import type { Socket } from "node:net";
import type { EgressUse } from "../types.ts";
import { limits } from "./limits.ts";

/** Counts what a program exchanges with the network. Bytes are those on the program's own socket, heads included. */
export interface Meter {
  /** Counts the connection's bytes from now on, also while it stays open. */
  track(socket: Socket): void;
  request(): void;
  refused(): void;
  /** Reports what has not been reported, and stops. */
  close(): void;
}

interface Marks {
  read: number;
  written: number;
}

/** Reports at most once per `limits.reportMs`, and only what is more than nothing. */
export function createMeter(onUse: (use: EgressUse) => void): Meter {
  const sockets = new Map<Socket, Marks>();
  let timer: NodeJS.Timeout | null = null;
  let [requests, refused, bytesIn, bytesOut] = [0, 0, 0, 0];

  const take = (socket: Socket, marks: Marks) => {
    bytesOut += socket.bytesRead - marks.read;
    bytesIn += socket.bytesWritten - marks.written;
    marks.read = socket.bytesRead;
    marks.written = socket.bytesWritten;
  };
  const report = () => {
    for (const [socket, marks] of sockets) take(socket, marks);
    if (requests + refused + bytesIn + bytesOut > 0) onUse({ requests, refused, bytesIn, bytesOut });
    else if (sockets.size === 0) stop();
    [requests, refused, bytesIn, bytesOut] = [0, 0, 0, 0];
  };
  const stop = () => {
    if (timer !== null) clearInterval(timer);
    timer = null;
  };
  const wake = () => {
    timer ??= setInterval(report, limits.reportMs).unref();
  };
  return {
    track(socket) {
      const marks = { read: 0, written: 0 };
      sockets.set(socket, marks);
      wake();
      socket.once("close", () => {
        take(socket, marks);
        sockets.delete(socket);
      });
    },
    request() {
      requests += 1;
    },
    refused() {
      refused += 1;
    },
    close() {
      report();
      stop();
    },
  };
}
