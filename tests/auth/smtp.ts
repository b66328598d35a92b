import { type AddressInfo, createServer, type Socket } from "node:net";

/** A mail as the server took it. */
export interface Taken {
  readonly from: string;
  readonly to: readonly string[];
  readonly headers: string;
  readonly text: string;
}

/** A mail server that takes what it is given (RFC 5321, with AUTH PLAIN of RFC 4954). */
export interface MailServer {
  readonly port: number;
  readonly taken: Taken[];
  /** User and password of every log-in, as `user password`. */
  readonly logins: string[];
  /** The next mail to an address, past or future. */
  mailTo(address: string, withinMs?: number): Promise<Taken>;
  close(): Promise<void>;
}

export async function startMailServer(): Promise<MailServer> {
  const taken: Taken[] = [];
  const logins: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    converse(socket, taken, logins);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    taken,
    logins,
    async mailTo(address, withinMs = 10_000) {
      const deadline = Date.now() + withinMs;
      for (;;) {
        const index = taken.findIndex(({ to }) => to.includes(address));
        if (index >= 0) return taken.splice(index, 1)[0]!;
        if (Date.now() > deadline) throw new Error(`no mail to ${address} within ${withinMs} ms`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function converse(socket: Socket, taken: Taken[], logins: string[]): void {
  let buffer = "";
  let data = false;
  let [from, to] = ["", [] as string[]];
  const say = (line: string) => socket.write(`${line}\r\n`);
  const address = (line: string) => /<(.*)>/.exec(line)?.[1] ?? "";
  const command = (line: string) => {
    const verb = line.split(" ", 1)[0]!.toUpperCase();
    if (verb === "EHLO") say("250-mail.example\r\n250 AUTH PLAIN");
    else if (verb === "AUTH") {
      const [, user, password] = Buffer.from(line.split(" ")[2] ?? "", "base64")
        .toString()
        .split("\0");
      logins.push(`${user} ${password}`);
      say("235 welcome");
    } else if (verb === "MAIL") {
      [from, to] = [address(line), []];
      say("250 ok");
    } else if (verb === "RCPT") {
      to.push(address(line));
      say("250 ok");
    } else if (verb === "DATA") {
      data = true;
      say("354 go on");
    } else if (verb === "QUIT") {
      say("221 bye");
      socket.end();
    } else say("250 ok");
  };
  socket.setEncoding("utf8");
  socket.on("data", (chunk) => {
    buffer += chunk;
    for (;;) {
      const end = data ? "\r\n.\r\n" : "\r\n";
      const at = buffer.indexOf(end);
      if (at < 0) return;
      const part = buffer.slice(0, at);
      buffer = buffer.slice(at + end.length);
      if (data) {
        const [headers = "", ...body] = part.split("\r\n\r\n");
        taken.push({ from, to, headers, text: body.join("\r\n\r\n") });
        data = false;
        say("250 taken");
      } else command(part);
    }
  });
  say("220 mail.example");
}
