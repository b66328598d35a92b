import { expect } from "vitest";
import type { AppCases } from "./types.ts";

/** One class calls another. */
export const rpc: AppCases = {
  name: "rpc",
  programs: ["rpc-bank", "rpc-ledger", "hibernate"],
  cases: [
    {
      name: "methods, errors, values, callbacks, streams and targets over RPC",
      async run(client) {
        const pay = (from: string, to: string, amount: number) =>
          client.fetch("rpc-bank/a/pay", { method: "POST", body: JSON.stringify({ from, to, amount }) });
        expect((await pay("ada", "ben", 30)).json()).toEqual({ ada: 70, ben: 30 });
        const refused = await pay("ada", "ben", 71);
        expect([refused.status, refused.json()]).toEqual([
          409,
          { error: "ada can't pay 71", name: "RangeError" },
        ]);
        expect((await client.fetch("rpc-bank/a/types")).json()).toMatchObject({
          at: 9,
          big: "1",
          bytes: [1, 2],
          name: "main",
          callback: 41,
          stream: "streamed over rpc",
          pipelined: "ada has 42",
        });
        expect((await client.fetch("rpc-bank/a/parallel")).json()).toEqual({ most: 30, different: 30 });
        const through = await client.fetch("rpc-bank/a/other");
        expect([through.status, through.text]).toEqual([207, "PUT http://ledger/rest?x=1 through fetch"]);
      },
    },
    {
      name: "a socket is handed on to another class",
      async run(client) {
        const socket = await client.connect("rpc-bank/a/socket", { label: "socket" });
        expect(await socket.next()).toBe("in sockets");
        socket.send("hello");
        expect(await socket.next()).toBe("ledger heard hello");
        socket.close(1000);
        await socket.closed();
      },
    },
    {
      name: "an instance sleeps with its sockets open and wakes with tags, attachments and peers (slow: 12 s)",
      async run(client) {
        const one = await client.connect("hibernate/a?tag=one", { label: "one" });
        const two = await client.connect("hibernate/a?tag=two", { label: "two" });
        one.send("awake");
        const awake = JSON.parse(String(await one.next()));
        await two.next();
        expect(awake).toMatchObject({ born: 1, messages: 1, peers: 2, tags: ["one", "all"] });
        await client.wait(11_500);
        one.send("ping");
        expect(await one.next()).toBe("pong");
        two.send("woken");
        const woken = JSON.parse(String(await two.next()));
        expect(woken).toMatchObject({ born: 2, messages: 1, peers: 2, tag: "two", joined: ["two"] });
        expect(JSON.parse(String(await one.next()))).toEqual(woken);
        two.close(4000, "done");
        await two.closed();
        expect(JSON.parse(String(await one.next()))).toEqual({ closed: "two", code: 4000, reason: "done" });
        one.close(1000);
        await one.closed();
      },
    },
  ],
};
