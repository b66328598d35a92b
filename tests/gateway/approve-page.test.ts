import { existsSync, mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Inbox, inboxOf } from "./stand/approvals.ts";
import { call } from "./stand/calls.ts";
import { startUpstream, toolNamed } from "./stand/upstream.ts";
import { ASKS, allowing, type Grant, startWorld, type World } from "./stand/world.ts";

const CHROMIUM = "/usr/bin/chromium";
const missing = !existsSync(CHROMIUM);
if (missing) process.stderr.write("The approval page needs Chromium: apt-get install chromium\n");

const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

describe.skipIf(missing)("the page of a call that waits (apt-get install chromium)", () => {
  let world: World;
  let inbox: Inbox;
  let grant: Grant;
  let browser: BrowserContext;
  let profile: string;

  beforeAll(async () => {
    world = await startWorld({ upstream: await startUpstream([toolNamed("pay")]) });
    inbox = inboxOf(world);
    grant = await world.grant(allowing({ pay: ASKS }));
    profile = mkdtempSync(join(tmpdir(), "ambit-page-"));
    browser = await chromium.launchPersistentContext(profile, {
      ...{ executablePath: CHROMIUM, headless: true, args: FLAGS },
    });
  });
  afterAll(async () => {
    await browser?.close();
    await world?.close();
    if (profile !== undefined) await rm(profile, { recursive: true, force: true });
  });

  /** Opens the page that the agent was told of, as this person. */
  async function open(url: string, key: string): Promise<Page> {
    const page = await browser.newPage();
    await browser.clearCookies();
    await page.goto(url);
    await page.getByLabel("Your key").fill(key);
    await page.getByRole("button", { name: "Sign in" }).click();
    return page;
  }
  const HOSTILE = "<script>document.title='ran'</script>";
  const held = async (args: object) => {
    const told = await call(world.at(grant), "pay", args);
    expect(told.outcome).toBe("hold");
    return told.decision as { approval_id: string; approval_url: string };
  };

  it("shows the arguments as they are; with a few clicks the call may run", async () => {
    const args = { to: HOSTILE, amount: 501 };
    const { approval_id, approval_url } = await held(args);
    const page = await open(approval_url, world.staff.admin.key);
    await page.getByRole("heading", { name: "What exactly" }).waitFor();
    expect(await page.getByText("501").first().isVisible()).toBe(true);
    expect(await page.content()).toContain("&lt;script&gt;");
    expect(await page.title()).toBe("Approval");
    await page.getByRole("button", { name: "Approve…" }).click();
    expect((await inbox.get(approval_id)).status).toBe("pending");
    await page.getByRole("button", { name: "Yes, approve" }).click();
    await page.getByText("Approved").first().waitFor();
    expect(world.upstream.calls("pay"), "the agent repeats it").toHaveLength(0);
    expect((await call(world.at(grant), "pay", args)).outcome).toBe("allow");
    expect(world.upstream.calls("pay").map((each) => each.args)).toEqual([args]);
    await page.close();
  });

  it("rejects with a reason, which the agent is told", async () => {
    const { approval_url } = await held({ amount: 7 });
    const page = await open(approval_url, world.staff.manager.key);
    await page.getByRole("button", { name: "Reject…" }).click();
    await page.getByLabel("Why not").fill("seven is too much");
    await page.getByRole("button", { name: "Yes, reject" }).click();
    await page.getByText("Rejected at").waitFor();
    const told = await call(world.at(grant), "pay", { amount: 7 });
    expect(told.outcome).toBe("deny");
    expect(told.text).toContain("seven is too much");
    await page.close();
  });

  it("approves nothing for whoever answers for the grant, for an agent, or with the grant itself", async () => {
    const { approval_id, approval_url } = await held({ amount: 8 });
    for (const key of [world.staff.owner.key, world.staff.agents[1]!.key, grant.token]) {
      const page = await open(approval_url, key);
      await page.waitForLoadState();
      expect(await page.getByRole("button", { name: "Approve…" }).count()).toBe(0);
      await page.close();
    }
    expect((await inbox.get(approval_id)).status).toBe("pending");
  });
});
