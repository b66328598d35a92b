import { existsSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Member } from "../../features/approvals/testing/stand.ts";
import { type Door, startDoor } from "./testing/door.ts";

const CHROMIUM = "/usr/bin/chromium";
const missing = !existsSync(CHROMIUM);
if (missing) process.stderr.write("This suite needs Chromium: apt-get install chromium\n");

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const EVIL = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">\u202e";

describe.skipIf(missing)("in a browser (apt-get install chromium)", () => {
  let door: Door;
  let owner: Member;
  let browser: BrowserContext;
  let profile: string;
  /** A page of somebody else's on this machine: another origin, but the same site, so that cookies go along. */
  let elsewhere: Server;
  let elsewhereHtml = "";

  beforeAll(async () => {
    door = await startDoor();
    owner = await door.member("owner");
    elsewhere = createServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end(elsewhereHtml);
    }).listen(0, "127.0.0.1");
    profile = mkdtempSync(join(tmpdir(), "ambit-approve-"));
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      headless: true,
      args: FLAGS,
    });
  });
  afterAll(async () => {
    await browser?.close();
    elsewhere?.close();
    await door.close();
    await rm(profile, { recursive: true, force: true });
  });

  async function signIn(page: Page, id: string): Promise<void> {
    await browser.clearCookies();
    await page.goto(`${door.url}/approve/${id}`);
    await page.getByLabel("Your key").fill(owner.token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "What exactly" }).waitFor();
  }

  it("a person decides with a few clicks; nothing of what others wrote runs", async () => {
    const page = await browser.newPage();
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("dialog", (dialog) => void dialog.dismiss().then(() => said.push("a dialog")));
    await door.tool.setPrice(EVIL, 2);
    const id = await door.ask({ item: EVIL, price: 7, title: `Set a price ${EVIL}` });
    await signIn(page, id);
    expect(page.url()).toBe(`${door.url}/approve/${id}`);
    expect(await page.title()).toBe("Approval");
    expect(await page.getByRole("heading", { level: 1 }).textContent()).toContain("<script>");
    // The style sheet is the one the page names: it is applied, and nothing else would be.
    const green = await page.evaluate(
      "getComputedStyle(document.querySelector('button.yes')).backgroundColor",
    );
    expect(green).toBe("rgb(20, 114, 59)");
    expect(await page.evaluate("document.cookie")).toBe("");
    const [cookie] = await browser.cookies(`${door.url}/approve/${id}`);
    expect(cookie).toMatchObject({
      httpOnly: true,
      sameSite: "Strict",
      path: "/approve",
      domain: "127.0.0.1",
    });
    expect(await browser.cookies(`${door.url}/v1/approvals`)).toEqual([]);
    await page.getByRole("button", { name: "Approve…" }).click();
    await page.getByRole("button", { name: "Yes, approve" }).click();
    await page.getByText("Approved and executed at").waitFor();
    expect(await door.tool.price(EVIL)).toBe(7);
    expect(await page.title()).toBe("Approval");
    expect(await door.tool.runs(id)).toHaveLength(1);
    expect(said).toEqual([]);
    await page.close();
  });

  it("a rejection says why; a page somebody else has open is told", async () => {
    const id = await door.ask({ item: "two tabs" });
    const [page, other] = [await browser.newPage(), await browser.newPage()];
    await signIn(page, id);
    await other.goto(`${door.url}/approve/${id}`);
    await other.getByRole("button", { name: "Approve…" }).click();
    await page.getByRole("button", { name: "Reject…" }).click();
    await page.getByLabel("Why not").fill("too dear");
    await page.getByRole("button", { name: "Yes, reject" }).click();
    await page.getByText("Rejected at").waitFor();
    expect(await page.getByText("too dear").isVisible()).toBe(true);
    await other.getByRole("button", { name: "Yes, approve" }).click();
    expect(await other.locator("#problem").textContent()).toContain(`This was rejected by ${owner.email}`);
    expect(await door.tool.runs(id)).toEqual([{ approval_id: id, what: "rejected too dear" }]);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Your key").waitFor();
    await Promise.all([page.close(), other.close()]);
  });

  it("a page of another origin on the same site can neither send its forms nor frame it", async () => {
    const id = await door.ask({ item: "foreign" });
    const page = await browser.newPage();
    await signIn(page, id);
    const { port } = elsewhere.address() as AddressInfo;
    const forms = ["confirm", "decide", "sign-out"].map(
      (action) => `<form id="${action}" method="post" action="${door.url}/approve/${id}/${action}">
        <input name="decision" value="approve"></form>`,
    );
    elsewhereHtml = `<!doctype html><title>elsewhere</title>${forms.join("")}
      <iframe src="${door.url}/approve/${id}"></iframe>`;
    const attack = await browser.newPage();
    for (const action of ["confirm", "decide", "sign-out"]) {
      await attack.goto(`http://127.0.0.1:${port}/`);
      const [answer] = await Promise.all([
        attack.waitForNavigation(),
        attack.evaluate(`document.getElementById("${action}").submit()`),
      ]);
      // The browser does send the cookie along: that alone would have let it in.
      expect((await answer!.request().allHeaders()).cookie).toContain("ambit_approve=");
      expect(answer!.status()).toBe(403);
    }
    await attack.goto(`http://127.0.0.1:${port}/`);
    const frame = attack.frames().find((each) => each !== attack.mainFrame())!;
    expect(await frame.content()).not.toContain("What exactly");
    const read = await attack.evaluate(
      (url) =>
        fetch(url, { credentials: "include" }).then(
          (answer) => answer.text(),
          () => "refused",
        ),
      `${door.url}/approve/${id}`,
    );
    expect(read).toBe("refused");
    expect(await door.tool.runs(id)).toEqual([]);
    await page.reload();
    expect(await page.getByRole("heading", { name: "What exactly" }).isVisible()).toBe(true);
    await Promise.all([page.close(), attack.close()]);
  });
});
