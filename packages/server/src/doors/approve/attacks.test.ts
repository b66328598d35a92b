import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Member } from "../../features/approvals/testing/stand.ts";
import { type Answer, ask, type Door, hiddenOf, startDoor, tampered, Visitor } from "./testing/door.ts";

let door: Door;
let owner: Member;
let admin: Member;
beforeAll(async () => {
  door = await startDoor();
  [owner, admin] = [await door.member("owner"), await door.member("admin")];
});
afterAll(() => door.close());

async function signedIn(member: Member, id: string): Promise<Visitor> {
  const visitor = new Visitor(door);
  await visitor.signIn(id, member.token);
  return visitor;
}
const untouched = async (id: string) => {
  expect(await door.tool.runs(id)).toEqual([]);
  expect((await door.service.view(owner.key, id, door.now())).approval.status).toBe("pending");
};

describe("forms from elsewhere", () => {
  it("count for nothing without this session's token, or from another page", async () => {
    const id = await door.ask({ item: "forged" });
    const visitor = await signedIn(owner, id);
    const other = await signedIn(admin, id);
    const page = hiddenOf(await visitor.get(`/approve/${id}`));
    const confirmed = hiddenOf(await visitor.choose(id, "approve"));
    const foreign = hiddenOf(await other.get(`/approve/${id}`));
    const { form_token: _, ...without } = confirmed;
    const tries: [string, Record<string, string>, Record<string, string | undefined>][] = [
      ["decide", without, {}],
      ["decide", { ...confirmed, form_token: foreign.form_token! }, {}],
      ["decide", { ...confirmed, form_token: "" }, {}],
      ["confirm", { decision: "approve", preview: page.preview! }, {}],
      ["decide", confirmed, { origin: "https://evil.example", "sec-fetch-site": "cross-site" }],
      ["decide", confirmed, { origin: "null" }],
      ["decide", confirmed, { origin: undefined }],
      ["decide", confirmed, { origin: undefined, "sec-fetch-site": undefined }],
      ["decide", confirmed, { "sec-fetch-site": "same-site" }],
      // An app's own name is of the same site, and sends the cookie along.
      ["decide", confirmed, { origin: `http://shop.localhost:${door.port}` }],
      ["decide", confirmed, { origin: `http://localhost:${door.port + 1}` }],
      ["decide", confirmed, { origin: `https://127.0.0.1:${door.port}` }],
    ];
    for (const [action, form, headers] of tries) {
      const answer = await visitor.post(`/approve/${id}/${action}`, form, headers);
      expect([answer.status, answer.body.includes("was not sent from this page")]).toEqual([403, true]);
    }
    const signIn = { key: admin.token };
    const login = await visitor.post(`/approve/${id}/sign-in`, signIn, { origin: "https://evil.example" });
    expect([login.status, login.headers["set-cookie"]]).toEqual([403, undefined]);
    const json = await visitor.post(`/approve/${id}/decide`, confirmed, {
      "content-type": "application/json",
    });
    expect(json.status).toBe(400);
    const huge = await visitor.post(`/approve/${id}/decide`, { ...confirmed, reason: "x".repeat(40_000) });
    expect(huge.status).toBe(413);
    expect((await visitor.get(`/approve/${id}/decide`)).status).toBe(404);
    await untouched(id);
    // What was refused used nothing up.
    expect((await visitor.post(`/approve/${id}/decide`, confirmed)).status).toBe(303);
  });
});

describe("confirmations", () => {
  it("are good once, in their session, for their approval, for two minutes", async () => {
    const [id, second] = [await door.ask({ item: "once", approvers: 2 }), await door.ask({ item: "second" })];
    const visitor = await signedIn(owner, id);
    const other = await signedIn(admin, id);
    const own = hiddenOf(await other.get(`/approve/${id}`)).form_token!;
    const form = hiddenOf(await visitor.choose(id, "approve"));
    const refused = async (by: Visitor, on: string, fields: Record<string, string>) => {
      const answer = await by.post(`/approve/${on}/decide`, fields);
      expect([answer.status, answer.body.includes("This confirmation can&#39;t be used")]).toEqual([
        409,
        true,
      ]);
    };
    await refused(other, id, { ...form, form_token: own });
    await refused(visitor, second, form);
    await refused(visitor, id, { ...form, confirmation: "v1.a.b.c" });
    await refused(visitor, id, { ...form, confirmation: tampered(form.confirmation!) });
    const late = hiddenOf(await visitor.choose(id, "approve"));
    door.advance(2 * 60_000);
    await refused(visitor, id, late);
    await untouched(second);
    const good = hiddenOf(await visitor.choose(id, "approve"));
    const both = await Promise.all([0, 1].map(() => visitor.post(`/approve/${id}/decide`, good)));
    expect(both.map(({ status }) => status).sort()).toEqual([303, 409]);
    await refused(visitor, id, good);
    expect((await door.service.view(owner.key, id, door.now())).approval.decisions).toHaveLength(1);
  });

  it("have to be given anew after any error", async () => {
    const id = await door.ask({ item: "again" });
    const visitor = await signedIn(owner, id);
    const form = hiddenOf(await visitor.choose(id, "reject"));
    expect((await visitor.post(`/approve/${id}/decide`, { ...form, reason: "" })).status).toBe(400);
    expect((await visitor.post(`/approve/${id}/decide`, { ...form, reason: "no" })).status).toBe(409);
    await untouched(id);
  });

  it("hold for the preview that was shown, at every step", async () => {
    await door.tool.setPrice("moving", 1);
    const id = await door.ask({ item: "moving", price: 5 });
    const visitor = await signedIn(owner, id);
    const page = hiddenOf(await visitor.get(`/approve/${id}`));
    await door.tool.setPrice("moving", 2);
    const early = await visitor.post(`/approve/${id}/confirm`, { ...page, decision: "approve" });
    expect([early.status, early.body.includes("has changed since you looked")]).toEqual([409, true]);
    const form = hiddenOf(await visitor.choose(id, "approve"));
    await door.tool.setPrice("moving", 3);
    const late = await visitor.post(`/approve/${id}/decide`, form);
    expect([late.status, late.body.includes("has changed since you looked")]).toEqual([409, true]);
    await untouched(id);
    // Rejecting does nothing, whatever would have been done.
    const no = hiddenOf(await visitor.choose(id, "reject"));
    await door.tool.setPrice("moving", 4);
    expect((await visitor.post(`/approve/${id}/decide`, { ...no, reason: "no" })).status).toBe(303);
  });
});

describe("what others wrote", () => {
  const EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</table></main><form action=//evil.example>",
    "<!--",
    "&lt;script&gt;",
  ];

  it("stays text, wherever it stands", async () => {
    for (const [at, evil] of EVIL.entries()) {
      const requester = { type: "agent", id: `id ${evil}`, accountId: null, label: evil } as const;
      const id = await door.ask({
        ...{ title: evil, reason: evil, subject: `${at} ${evil}`, requester },
        request: { tool: "set_price", item: evil, price: 1, [evil]: { [evil]: [evil] } },
      });
      const visitor = await signedIn(owner, id);
      const pages = [await visitor.get(`/approve/${id}`), await visitor.choose(id, "approve")];
      await visitor.decide(id, "reject", evil);
      pages.push(await visitor.get(`/approve/${id}`));
      for (const { body, status } of pages) {
        expect(status).toBe(200);
        expect(body.replaceAll(/<\/?bdi>/g, "")).toContain(
          evil
            .replaceAll("&", "&amp;")
            .replaceAll("<", "&lt;")
            .replaceAll(">", "&gt;")
            .replaceAll('"', "&quot;")
            .replaceAll("'", "&#39;"),
        );
        expect(body).not.toMatch(/<(script|img|!--)|<form[^>]*evil/i);
        // Nothing of it became an attribute: outside tags and their quoted values there is no markup of its.
        expect(body).not.toMatch(/<[a-z]+(?:\s[a-z-]+(?:="[^"]*")?)*\s+on[a-z]+=/i);
      }
    }
  });

  it("hides nothing: what is not seen is named, what is long is all there", async () => {
    const word = "x".repeat(60_000);
    const id = await door.ask({
      request: {
        tool: "set_price",
        item: "a\u202eb\u200bc\u0007d\u00a0e",
        price: 1,
        lines: `top${"\n".repeat(500)}bottom`,
        spaces: `left${" ".repeat(500)}right`,
        "pri\u200dce": "looks like price",
        word,
        empty: "",
        nothing: {},
      },
    });
    const { body } = await (await signedIn(owner, id)).get(`/approve/${id}`);
    const mark = (name: string) => `<b class="mark">${name}</b>`;
    expect(body).toContain(`a${mark("U+202E")}b${mark("U+200B")}c${mark("U+0007")}d${mark("U+00A0")}e`);
    expect(body).toContain(`top${mark("500 line breaks")}\nbottom`);
    expect(body).toContain(`left${mark("500 spaces")}right`);
    expect(body).toContain(`pri${mark("U+200D")}ce`);
    expect(body).toContain(word);
    expect(body).toContain("empty text");
    expect(body).toContain("empty object");
  });
});

describe("where the page is", () => {
  it("is on the API's own name and this machine's, and on no app's", async () => {
    const id = await door.ask();
    const get = (host: string) => ask(door.port, "GET", `/approve/${id}`, { host });
    const from = async (host: string) => (await get(host)).status;
    expect(await from(`127.0.0.1:${door.port}`)).toBe(200);
    expect(await from(`localhost:${door.port}`)).toBe(200);
    for (const host of [
      `shop.localhost:${door.port}`,
      `127.0.0.1:${door.port + 1}`,
      "127.0.0.1",
      "evil.example",
      `evil.example:${door.port}`,
      `127.0.0.1:${door.port}@evil.example`,
      `evil.example#127.0.0.1:${door.port}`,
    ]) {
      const answer = await get(host);
      expect([host, answer.status]).toEqual([host, 404]);
      expect(answer.body).not.toContain('name="key"');
    }
    const spoofed = { host: "evil.example", "x-forwarded-host": `127.0.0.1:${door.port}` };
    expect((await ask(door.port, "GET", `/approve/${id}`, spoofed)).status).toBe(404);
    const posted = await new Visitor(door).post(
      `/approve/${id}/sign-in`,
      { key: owner.token },
      { host: `shop.localhost:${door.port}`, origin: `http://shop.localhost:${door.port}` },
    );
    expect([posted.status, posted.headers["set-cookie"]]).toEqual([404, undefined]);
  });

  it("with https, its cookie can be set by no other name", async () => {
    const id = await door.ask();
    const local = door.publicUrl;
    door.publicUrl = "https://api.example.com";
    try {
      const visitor = new Visitor(door);
      const headers = { host: "api.example.com", origin: "https://api.example.com" };
      const answer = await visitor.post(`/approve/${id}/sign-in`, { key: owner.token }, headers);
      expect(answer.headers["set-cookie"]).toEqual([
        expect.stringMatching(
          /^__Host-ambit_approve=v1\.[\w.-]+; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=900$/,
        ),
      ]);
      expect((await visitor.get(`/approve/${id}`, { host: headers.host })).body).toContain("What exactly");
      // One of the plain name, which any name of the site could have set, opens nothing.
      visitor.cookie = visitor.cookie.replace("__Host-", "");
      expect((await visitor.get(`/approve/${id}`, { host: headers.host })).body).toContain(
        "Sign in to decide",
      );
      const plain = { host: "api.example.com", origin: "http://api.example.com" };
      expect((await visitor.post(`/approve/${id}/sign-in`, { key: owner.token }, plain)).status).toBe(403);
    } finally {
      door.publicUrl = local;
    }
  });

  it("says on every answer that it is not to be framed, kept, or run", async () => {
    const id = await door.ask();
    const visitor = new Visitor(door);
    const answers: Answer[] = [
      await visitor.get(`/approve/${id}`, { origin: `http://shop.localhost:${door.port}` }),
      await visitor.get("/approve/none"),
      await ask(door.port, "GET", `/approve/${id}`, { host: "evil.example" }),
      await visitor.post(`/approve/${id}/sign-in`, { key: "wrong" }),
      await visitor.post(`/approve/${id}/decide`, {}, { origin: "null" }),
      await visitor.post(`/approve/${id}/sign-in`, { key: "x".repeat(40_000) }),
      await visitor.signIn(id, owner.token),
      await visitor.get(`/approve/${id}`),
      await visitor.choose(id, "approve"),
      await visitor.decide(id, "approve"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 404, 404, 401, 403, 413, 303, 200, 200, 303]);
    for (const { headers } of answers) {
      expect(headers["content-security-policy"]).toMatch(
        /^default-src 'none'; style-src 'sha256-[\w+/]{43}='; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
      );
      expect(headers).toMatchObject({
        "content-type": "text/html; charset=utf-8",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
        "x-frame-options": "DENY",
      });
      expect(headers).not.toHaveProperty("access-control-allow-origin");
    }
  });
});
