import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newUuid } from "../../kernel/ids.ts";
import { Metrics } from "../../kernel/metrics.ts";
import { type TestPlatform, testPlatform } from "../../testing/platform.ts";
import { createMailService } from "./service.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test.stop());

const letter = { kind: "verify_email", subject: "Héllo", text: "Your code is 123456", code: "123456" };

describe("outbox without SMTP", () => {
  it("keeps mail sealed at rest, readable for the app's developers, newest first and bounded", async () => {
    const service = createMailService(test.platform);
    const [app, other] = [await test.createApp(), await test.createApp()];
    await service.send({ appId: app.id, to: "a@example.com", ...letter });
    await service.send({ appId: app.id, to: "b@example.com", ...letter, code: "222222" });
    const mails = await service.outbox(app.id, null, 10);
    expect(mails.map(({ to, code }) => [to, code])).toEqual([
      ["b@example.com", "222222"],
      ["a@example.com", "123456"],
    ]);
    expect(await service.outbox(app.id, "a@example.com", 10)).toHaveLength(1);
    expect(await service.outbox(other.id, null, 10)).toEqual([]);
    const [row] = await test.platform.database.query<{ sealed: string }>("select * from ambit.mails");
    expect(JSON.stringify(row)).not.toContain("123456");
    for (let i = 0; i < 201; i++) await service.send({ appId: app.id, to: "c@example.com", ...letter });
    expect(await service.outbox(app.id, null, 1_000)).toHaveLength(200);
  });

  it("drops mail that is older than a week", async () => {
    const app = await test.createApp();
    let now = Date.now();
    const service = createMailService({ ...test.platform, clock: () => now });
    await service.send({ appId: app.id, to: "old@example.com", ...letter });
    now += 8 * 24 * 3_600_000;
    await service.send({ appId: app.id, to: "new@example.com", ...letter });
    expect((await service.outbox(app.id, null, 10)).map(({ to }) => to)).toEqual(["new@example.com"]);
  });
});

describe("mail of an organisation to its members", () => {
  const to = (organizationId: string, name: string) => ({
    organizationId,
    to: `${name}@example.com`,
    kind: "approval_requested",
    subject: "Something waits",
    text: "for a decision",
  });

  it("is there exactly when the transaction is, sealed, apart from apps' mail and other organisations'", async () => {
    const { platform, organizationId } = test;
    const service = createMailService(platform);
    const send = (names: string[], thenFail = false) =>
      platform.database.transaction(async (tx) => {
        await service.sendWith(
          tx,
          names.map((name) => to(organizationId, name)),
        );
        if (thenFail) throw new Error("undone");
      });
    await send(["Ada", "bob"]);
    await expect(send(["never"], true)).rejects.toThrow("undone");
    const mails = await service.organizationOutbox(organizationId, null, 10);
    expect(mails.map((mail) => [mail.to, mail.subject, mail.text])).toEqual([
      ["bob@example.com", "Something waits", "for a decision"],
      ["Ada@example.com", "Something waits", "for a decision"],
    ]);
    expect(await service.organizationOutbox(organizationId, "ada@example.com", 10)).toHaveLength(1);
    const other = newUuid();
    await platform.database.query("insert into ambit.organizations (id, name) values ($1, 'Other')", [other]);
    expect(await service.organizationOutbox(other, null, 10)).toEqual([]);
    const app = await test.createApp();
    expect(await service.outbox(app.id, null, 10)).toEqual([]);
    const rows = await platform.database.query("select * from ambit.mails where organization_id = $1", [
      organizationId,
    ]);
    expect(JSON.stringify(rows)).not.toContain("for a decision");
    for (let i = 0; i < 21; i++) await send(Array.from({ length: 10 }, (_, each) => `n${each}`));
    expect(await service.organizationOutbox(organizationId, null, 1_000)).toHaveLength(200);
  });

  it("leaves by SMTP once the transaction has committed", async () => {
    const smtp = await smtpServer(() => "250 ok");
    const config = { ...test.platform.config, smtpUrl: smtp.url };
    const service = createMailService({ ...test.platform, config, metrics: new Metrics() });
    try {
      await test.platform.database.transaction((tx) =>
        service.sendWith(tx, [to(test.organizationId, "carol")]),
      );
      await waitFor(async () => smtp.taken.length === 1);
      expect(smtp.taken[0]).toMatch(/^To: carol@example.com$/m);
      await expect(service.organizationOutbox(test.organizationId, null, 1)).rejects.toMatchObject({
        code: "MAIL_OUTBOX_OFF",
      });
    } finally {
      await service.stop();
      await new Promise<void>((resolve) => void smtp.server.close(() => resolve()));
    }
  });
});

/** An SMTP server (RFC 5321) just large enough to take a mail; `reply` decides what it says to each recipient. */
async function smtpServer(
  reply: (recipient: string) => string,
): Promise<{ server: Server; url: string; taken: string[] }> {
  const taken: string[] = [];
  const server = createServer((socket: Socket) => {
    let data: string | null = null;
    socket.write("220 test\r\n");
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      for (const line of chunk.toString().split("\r\n")) {
        if (data !== null) {
          if (line === ".") {
            taken.push(data);
            data = null;
            socket.write("250 taken\r\n");
          } else data += `${line}\n`;
        } else if (/^EHLO/i.test(line)) socket.write("250 test\r\n");
        else if (/^RCPT/i.test(line)) socket.write(`${reply(line)}\r\n`);
        else if (/^DATA/i.test(line)) {
          data = "";
          socket.write("354 go on\r\n");
        } else if (/^QUIT/i.test(line)) socket.end("221 bye\r\n");
        else if (line !== "") socket.write("250 ok\r\n");
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, taken, url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 5_000;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error("it did not happen");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe("delivery by SMTP", () => {
  it("sends, tries again after a passing failure, gives up after a final one, and shows no outbox", async () => {
    const app = await test.createApp();
    let busy = true;
    const smtp = await smtpServer((recipient) => {
      if (recipient.includes("gone@")) return "550 no such user";
      return busy && recipient.includes("later@") ? "451 try again" : "250 ok";
    });
    let now = Date.now();
    const config = { ...test.platform.config, smtpUrl: smtp.url, mailFrom: "Shop <shop@example.com>" };
    const service = createMailService({ ...test.platform, config, clock: () => now });
    const waiting = async () =>
      (
        await test.platform.database.query<{ recipient: string }>(
          "select recipient from ambit.mails where app_id = $1",
          [app.id],
        )
      ).map((row) => row.recipient);
    try {
      for (const name of ["now", "later", "gone"]) {
        await service.send({ appId: app.id, to: `${name}@example.com`, ...letter });
      }
      await waitFor(async () => (await waiting()).join() === "later@example.com" && smtp.taken.length === 1);
      expect(smtp.taken[0]).toMatch(/^From: Shop <shop@example.com>$/m);
      expect(smtp.taken[0]).toMatch(/^To: now@example.com$/m);
      expect(smtp.taken[0]).toContain("Your code is 123456");
      busy = false;
      now += 30_000;
      await service.start();
      await waitFor(async () => (await waiting()).length === 0);
      expect(smtp.taken).toHaveLength(2);
      await expect(service.outbox(app.id, null, 1)).rejects.toMatchObject({ code: "MAIL_OUTBOX_OFF" });
    } finally {
      await service.stop();
      await new Promise<void>((resolve) => void smtp.server.close(() => resolve()));
    }
  });
});
