import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { deployActor } from "../support/actors.ts";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { must, notesApp } from "../support/app.ts";
import { discard, type Server, startServer } from "../support/server.ts";

const CHROMIUM = "/usr/bin/chromium";
const missing = !existsSync(CHROMIUM);
if (missing) process.stderr.write("The browser suite needs Chromium: apt-get install chromium\n");

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

describe.skipIf(missing)("from a browser (apt-get install chromium)", () => {
  let server: Server;
  let owner: Api;
  let appId: string;
  let subdomain: string;
  let ada: Person;
  let site: HttpServer;
  let browser: BrowserContext;
  let profile: string;

  beforeAll(async () => {
    server = await startServer();
    owner = apiAs(server.apiUrl, server.apiKey);
    appId = await notesApp(owner);
    subdomain = must(await owner("GET", `/v1/${appId}/config`)).subdomain;
    ada = await signUp(server.apiUrl, appId, "ada");
    site = createServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>a page</title>");
    }).listen(0, "127.0.0.1");
    profile = mkdtempSync(join(tmpdir(), "ambit-browser-"));
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      headless: true,
      args: FLAGS,
    });
  });
  afterAll(async () => {
    await browser?.close();
    site?.close();
    await discard(server);
    await rm(profile, { recursive: true, force: true });
  });

  const pageUrl = () => `http://localhost:${(site.address() as AddressInfo).port}/`;

  it("a page logs in, writes, and sees its change live", async () => {
    const page = await browser.newPage();
    await page.goto(pageUrl());
    const seen = await page.evaluate(
      async ({ apiUrl, appId, email, password }) => {
        const json = { "content-type": "application/json" };
        const login: any = await fetch(`${apiUrl}/auth/${appId}/login`, {
          method: "POST",
          headers: json,
          body: JSON.stringify({ email, password }),
        }).then((response) => response.json());
        const socket = new WebSocket(
          `${apiUrl.replace("http", "ws")}/v1/${appId}/realtime?token=${login.access_token}`,
        );
        return new Promise((resolve) => {
          socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", table: "notes" }));
          socket.onmessage = async ({ data }) => {
            const frame = JSON.parse(data);
            if (frame.type === "subscribed") {
              await fetch(`${apiUrl}/v1/${appId}/notes`, {
                method: "POST",
                headers: { ...json, authorization: `Bearer ${login.access_token}` },
                body: JSON.stringify({ title: "from a page" }),
              });
            }
            if (frame.type === "change") resolve(frame.record.title);
          };
        });
      },
      { apiUrl: server.apiUrl, appId, email: ada.email, password: ada.password },
    );
    expect(seen).toBe("from a page");
    await page.close();
  });

  it("an app answers on its own name", async () => {
    const page = await browser.newPage();
    const { port } = new URL(server.apiUrl);
    const answer = await page.goto(`http://${subdomain}.localhost:${port}/data/notes`);
    expect(answer?.status()).toBe(200);
    expect(await answer?.json()).toEqual([]);
    await page.close();
  });

  it("a page joins a chat room with its token as sub-protocol, as ticket, and in the URL", async () => {
    const code = readFileSync(new URL("../../examples/actors/chat-room.ts", import.meta.url), "utf8");
    await deployActor(owner, appId, "chat-room", code, "authenticated");
    const user = apiAs(server.apiUrl, ada.token);
    const asked = { name: "chat-room", instance: "lobby" };
    const { ticket } = must(await user("POST", `/v1/${appId}/durable-objects/tickets`, asked));
    const page = await browser.newPage();
    await page.goto(pageUrl());
    const room = `${server.apiUrl.replace("http", "ws")}/v1/${appId}/do/chat-room/lobby`;
    const join = (url: string, protocols: string[]) =>
      page.evaluate(
        ({ url, protocols }) =>
          new Promise<string>((resolve) => {
            const socket = new WebSocket(url, protocols);
            socket.onmessage = ({ data }) => {
              const { type, you } = JSON.parse(data);
              if (type === "welcome") resolve(`${you.id} by ${socket.protocol || "none"}`);
            };
            socket.onerror = () => resolve("refused");
          }),
        { url, protocols },
      );
    expect(await join(room, ["bearer", ada.token])).toBe(`${ada.id} by bearer`);
    expect(await join(`${room}?ticket=${ticket}`, [])).toBe(`${ada.id} by none`);
    expect(await join(`${room}?ticket=${ticket}`, [])).toBe("refused");
    expect(await join(`${room}?token=${ada.token}`, [])).toBe(`${ada.id} by none`);
    expect(await join(room, [])).toBe("refused");
    await page.close();
  });

  it("a page made by user code runs on the app's own name, and in a sandbox on the API's", async () => {
    const html = "<!doctype html><title>before</title><script>document.title = 'ran';</script>";
    const code = `export class Page { fetch() { return new Response(${JSON.stringify(html)}, { headers: { "content-type": "text/html" } }); } }`;
    await deployActor(owner, appId, "page", code);
    const page = await browser.newPage();
    const { port } = new URL(server.apiUrl);
    await page.goto(`http://${subdomain}.localhost:${port}/_do/page/home`);
    expect(await page.title()).toBe("ran");
    await page.goto(`${server.apiUrl}/v1/${appId}/do/page/home`);
    expect(await page.title()).toBe("before");
    await page.close();
  });

  it("a page the app's list does not name gets no answer", async () => {
    must(await owner("PATCH", `/v1/${appId}/config/cors`, { allowed_origins: ["https://shop.example"] }));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const page = await browser.newPage();
    await page.goto(pageUrl());
    const failure = await page.evaluate(
      (url) =>
        fetch(url).then(
          () => "answered",
          (error) => error.name,
        ),
      `${server.apiUrl}/v1/${appId}/notes`,
    );
    expect(failure).toBe("TypeError");
    const socket = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const opened = new WebSocket(url);
          opened.onopen = () => resolve("open");
          opened.onerror = () => resolve("refused");
        }),
      `${server.apiUrl.replace("http", "ws")}/v1/${appId}/realtime`,
    );
    expect(socket).toBe("refused");
    must(await owner("PATCH", `/v1/${appId}/config/cors`, { allowed_origins: [] }));
    await page.close();
  });
});
