import { expect } from "vitest";
import type { AppCases } from "./types.ts";

const json = (frame: string | Buffer) => JSON.parse(String(frame));

/** Sockets: who is there, what they say, how they leave. */
export const rooms: AppCases = {
  name: "rooms",
  programs: ["chat-room", "socket-tags", "auto-response", "close-codes", "frames"],
  byOwnName: true,
  cases: [
    {
      name: "a chat room tells everyone, keeps the last lines and says who left",
      async run(client) {
        const ada = await client.connect("chat-room/lobby?name=ada", { label: "ada" });
        expect(json(await ada.next())).toEqual({ welcome: "ada", present: ["ada"] });
        const ben = await client.connect("chat-room/lobby?name=ben", { label: "ben" });
        expect(json(await ben.next()).present).toEqual(["ada", "ben"]);
        expect(json(await ada.next())).toEqual({ joined: "ben" });
        for (let n = 0; n < 7; n++) {
          (n % 2 ? ben : ada).send(`line ${n} ünïcode 😀`);
          const [one, two] = [json(await ada.next()), json(await ben.next())];
          expect(one).toEqual(two);
          expect(one.text).toBe(`line ${n} ünïcode 😀`);
        }
        expect((await client.fetch("chat-room/lobby/history")).json()).toHaveLength(5);
        expect((await client.fetch("chat-room/empty/history")).json()).toEqual([]);
        ben.close(3001, "bye");
        expect(json(await ada.next())).toEqual({ left: "ben", code: 3001 });
        await ben.closed();
        expect((await client.fetch("chat-room/lobby")).status).toBe(426);
        ada.close(1000);
        await ada.closed();
      },
    },
    {
      name: "sockets are found by tag and keep their attachments",
      async run(client) {
        const one = await client.connect("socket-tags/x?tag=red&tag=big", { label: "one" });
        const two = await client.connect("socket-tags/x?tag=red", { label: "two" });
        const other = await client.connect("socket-tags/y?tag=red", { label: "other" });
        const counts = await client.fetch("socket-tags/x/count?tag=red&tag=big&tag=none");
        expect(counts.json()).toEqual({ red: 2, big: 1, none: 0 });
        expect((await client.fetch("socket-tags/x/tell?tag=red")).text).toBe("2");
        expect([await one.next(), await two.next()]).toEqual(["to red", "to red"]);
        one.send("a");
        await one.next();
        one.send("b");
        expect(json(await one.next())).toEqual({
          tags: ["red", "big"],
          frames: 2,
          born: "1970-01-02T00:00:00.000Z",
        });
        one.send("oversize");
        expect(await one.next()).toMatch(/^refused/);
        one.close(1000);
        await one.closed();
        expect(
          (
            await client.poll("socket-tags/x/count?tag=red&tag=big", (reply) => reply.json().red === 1)
          ).json(),
        ).toEqual({ red: 1, big: 0 });
        for (const socket of [two, other]) {
          socket.close();
          await socket.closed();
        }
      },
    },
    {
      name: "pings are answered without waking the class",
      async run(client) {
        const socket = await client.connect("auto-response/a", { label: "socket" });
        for (let n = 0; n < 3; n++) {
          socket.send("ping");
          expect(await socket.next()).toBe("pong");
        }
        socket.send("off");
        expect(json(await socket.next())).toEqual({
          message: "off",
          messages: 1,
          answered: true,
          ask: "ping",
          say: "pong",
        });
        socket.send("ping");
        expect(json(await socket.next())).toMatchObject({ message: "ping", messages: 2 });
        socket.close(1000);
        await socket.closed();
      },
    },
    {
      name: "closing codes and reasons arrive on the other side",
      async run(client) {
        const told = await client.connect("close-codes/a", { label: "told" });
        told.send("close|4001|enough ünïcode");
        expect(await told.closed()).toEqual({ code: 4001, reason: "enough ünïcode" });
        const refused = await client.connect("close-codes/a", { label: "refused" });
        refused.send("bad-code|1005|no");
        expect(await refused.next()).toMatch(/^refused/);
        refused.close(3500, "client's own");
        await refused.closed();
        const plain = await client.connect("close-codes/a?plain", { label: "plain" });
        plain.send("hello");
        expect(await plain.next()).toBe("plain hello");
        plain.send("close");
        expect(await plain.closed()).toEqual({ code: 4002, reason: "plain says so" });
        const left = await client.connect("close-codes/a?plain", { label: "left" });
        left.close(4444, "left");
        await left.closed();
        const ended = await client.poll("close-codes/a/ended", (reply) => {
          const seen = reply.json<string[]>();
          return seen.some((each) => each.startsWith("3500")) && seen.some((each) => each.includes("4444"));
        });
        expect(ended.json()).toContain("3500 client's own true");
      },
    },
    {
      name: "frames come back as they were sent: text, binary, empty, large, sub-protocol",
      async run(client) {
        const socket = await client.connect("frames/a", {
          label: "socket",
          protocols: ["chat.v1", "chat.v2"],
        });
        expect(socket.protocol).toBe("chat.v2");
        const frames = [
          "text",
          Buffer.from([0, 1, 2, 255]),
          "",
          Buffer.alloc(0),
          "é😀",
          "x".repeat(200_000),
          Buffer.alloc(900_000, 7),
          "y".repeat(126),
          "z".repeat(65_536),
        ];
        for (const frame of frames) {
          socket.send(frame);
          expect(await socket.next()).toBe(
            typeof frame === "string" ? `text ${frame.length}` : `binary ${frame.length}`,
          );
          const back = await socket.next();
          expect(Buffer.from(back as string).equals(Buffer.from(frame as string))).toBe(true);
          expect(typeof back).toBe(typeof frame);
        }
        for (let n = 0; n < 200; n++) socket.send(`burst ${n}`);
        for (let n = 0; n < 200; n++) {
          await socket.next();
          expect(await socket.next()).toBe(`burst ${n}`);
        }
        socket.close(1000);
        await socket.closed();
      },
    },
  ],
};
