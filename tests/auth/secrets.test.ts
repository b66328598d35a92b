import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiAs } from "../support/api.ts";
import { must } from "../support/app.ts";
import { callTool, connectMcp } from "../support/mcp.ts";
import { connectRealtime } from "../support/realtime.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type AuthApp, authApp, codeOf } from "./auth-app.ts";
import { type MailServer, startMailServer } from "./smtp.ts";

const SMTP_PASSWORD = `smtp-${randomBytes(12).toString("hex")}`;
let mail: MailServer;
let server: Server;
let app: AuthApp;
beforeAll(async () => {
  mail = await startMailServer();
  server = await startServer({
    AMBIT_SMTP_URL: `smtp://mailer:${SMTP_PASSWORD}@127.0.0.1:${mail.port}`,
    AMBIT_MAIL_FROM: "Ambit <hello@ambit.example>",
    AMBIT_LOG_LEVEL: "trace",
  });
  app = await authApp(server);
});
afterAll(async () => {
  await discard(server);
  await mail.close();
});

const fresh = (what: string) => `${what}-${randomBytes(12).toString("hex")}`;
const password = () => `Pass-7-${randomBytes(12).toString("hex")}`;
const codeIn = (text: string) => /\b(\d{6})\b/.exec(text)![1]!;
/** Quoted-printable (RFC 2045 §6.7) undone, as far as long words are concerned. */
const plain = (text: string) => text.replaceAll("=\r\n", "");

describe("mail by SMTP", () => {
  it("brings the code that verifies, from the configured sender, to one recipient", async () => {
    const email = "ada@example.com";
    await app.signUp(email);
    const letter = await mail.mailTo(email);
    expect(letter).toMatchObject({ from: "hello@ambit.example", to: [email] });
    expect(letter.headers).toMatch(/^From: Ambit <hello@ambit.example>/m);
    expect(letter.headers).toMatch(/^To: ada@example.com/m);
    must(await app.post("verify-email", { email, code: codeIn(letter.text) }));
    expect((await app.login(email)).user.email_verified).toBe(true);
    expect(mail.logins).toContain(`mailer ${SMTP_PASSWORD}`);
  });

  it("brings sign-in codes, reset codes and tokens, and word of a changed password", async () => {
    const email = "ben@example.com";
    must(await app.post("magic-link", { email }));
    const { text } = await mail.mailTo(email);
    must(await app.post("magic-link/verify", { email, code: codeIn(text) }));
    must(await app.post("forgot-password", { email }));
    const reset = plain((await mail.mailTo(email)).text);
    const token = /^[\w-]{40,}$/m.exec(reset)![0];
    must(await app.post("reset-password", { token, newPassword: password() }));
    expect((await mail.mailTo(email)).headers).toMatch(/^Subject: .*password was changed/m);
  });

  it("keeps no copy for developers to read", async () => {
    const answer = await app.owner("GET", `/v1/${app.id}/auth/outbox`);
    expect([answer.status, codeOf(answer)]).toEqual([409, "MAIL_OUTBOX_OFF"]);
  });

  it("goes out as one mail with the headers it should have, whatever the app is called", async () => {
    const nasty = await apiAs(server.apiUrl, server.apiKey)("POST", "/init", {
      name: "Shop\r\nBcc: evil@example.com\r\n\r\nHello",
    });
    const id = nasty.status < 300 ? nasty.body.app_id : app.id;
    const email = "cyd@example.com";
    must(await apiAs(server.apiUrl, null)("POST", `/auth/${id}/magic-link`, { email }));
    const letter = await mail.mailTo(email);
    expect(letter.to).toEqual([email]);
    expect(letter.headers).not.toMatch(/^Bcc:/im);
    expect(mail.taken.flatMap(({ to }) => to)).not.toContain("evil@example.com");
  });
});

/** Uses every secret once, in every way there is; resolves to all of them by name. */
async function useSecrets(): Promise<Record<string, string>> {
  const email = "secret.holder@example.com";
  const used: Record<string, string> = { "the SMTP password": SMTP_PASSWORD };
  const [first, second, wrong, weak] = [password(), password(), password(), fresh("weak")];
  Object.assign(used, {
    "a password": first,
    "a new password": second,
    "a wrong password": wrong,
    "a weak password": weak,
  });
  await app.signUp(email, first);
  must(await app.post("verify-email", { email, code: codeIn((await mail.mailTo(email)).text) }));
  expect((await app.post("signup", { email: "x@example.com", password: weak })).status).toBe(400);
  expect((await app.post("login", { email, password: wrong })).status).toBe(401);
  expect((await app.post("login", `{"email":"${email}","password":"${wrong}"` as never)).status).toBe(400);
  const session = await app.login(email, first);
  const next = must(await app.post("refresh", { refresh_token: session.refresh_token }));
  Object.assign(used, {
    "an access token": session.access_token.split(".")[2]!,
    "a refresh token": session.refresh_token,
    "the next refresh token": next.refresh_token,
  });
  const socket = await connectRealtime(server.apiUrl, app.id, next.access_token).catch(() => null);
  await socket?.close();
  await app.get(`me?token=${next.access_token}`, next.access_token);
  must(
    await app.post("change-password", { current_password: first, new_password: second }, next.access_token),
  );
  must(await app.post("forgot-password", { email }));
  // First the notice of the change, then the letter with the token.
  const letters = [await mail.mailTo(email), await mail.mailTo(email)]
    .map(({ text }) => plain(text))
    .join("\n");
  used["a reset token"] = /^[\w-]{40,}$/m.exec(letters)![0];
  expect((await app.post("reset-password", { token: used["a reset token"], newPassword: weak })).status).toBe(
    400,
  );
  await useDeveloperSecrets(used);
  return used;
}

async function useDeveloperSecrets(used: Record<string, string>): Promise<void> {
  const provider = {
    client_id: "id",
    token_url: "https://a.example/t",
    authorization_url: "https://a.example/a",
    userinfo_url: "https://a.example/u",
    redirect_uris: [],
  };
  const [byHttp, byMcp, environment, parameter] = ["client", "client", "environment", "parameter"].map(
    fresh,
  ) as [string, string, string, string];
  must(
    await app.owner("POST", `/v1/${app.id}/auth/oauth-config`, {
      provider: "one",
      client_secret: byHttp,
      ...provider,
    }),
  );
  must(await app.owner("PATCH", `/v1/${app.id}/env`, { envVars: { TOKEN: environment } }));
  const minted = must(await app.owner("POST", "/api-keys", { name: "short-lived" }));
  expect((await apiAs(server.apiUrl, minted.key)("GET", "/apps")).status).toBe(200);
  const client = await connectMcp(server.mcpUrl, server.agentKey);
  await callTool(client, "manage_oauth", {
    app_id: app.id,
    action: "configure",
    provider: "two",
    client_secret: byMcp,
    ...provider,
  });
  await callTool(client, "run_sql", { app_id: app.id, sql: "select $1::text as x", params: [parameter] });
  await callTool(client, "manage_oauth", { app_id: app.id, action: "configure", client_secret: byMcp }).catch(
    () => {},
  );
  await client.close();
  Object.assign(used, {
    "a client secret over HTTP": byHttp,
    "a client secret over MCP": byMcp,
    "an environment value": environment,
    "a parameter of SQL": parameter,
    "an API key": minted.key,
  });
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}

describe("secrets", () => {
  it("are in no audit entry, in no line the server prints, and nowhere on disk as they are", async () => {
    const used = await useSecrets();
    const logs = must(await app.owner("GET", `/v1/${app.id}/audit-logs?limit=500`)).logs;
    const audit = JSON.stringify(logs);
    for (const event of [
      "auth.signup",
      "auth.login",
      "auth.refresh",
      "auth.reset_password",
      "auth.configure_oauth",
      "data.run_sql",
    ]) {
      expect(audit).toContain(`"${event}"`);
    }
    const answers = JSON.stringify([
      must(await app.owner("GET", `/v1/${app.id}/auth/oauth-config`)),
      must(await app.owner("GET", "/api-keys")),
      must(await app.owner("GET", `/v1/${app.id}/admin/auth/users`)),
      must(await app.owner("GET", `/v1/${app.id}/config`)),
    ]);
    await server.stop();
    const output = server.output();
    expect(output).toContain("request");
    const files = filesBelow(server.dataDir).map((path) => ({ path, bytes: readFileSync(path) }));
    const holding = (text: string) =>
      files.filter(({ bytes }) => bytes.includes(text)).map(({ path }) => path);
    // The search finds what is there.
    expect(holding("secret.holder@example.com").length).toBeGreaterThan(0);
    for (const [name, secret] of Object.entries(used)) {
      const found = {
        audit: audit.includes(secret),
        answers: answers.includes(secret),
        output: output.includes(secret),
        disk: holding(secret),
      };
      expect({ name, ...found }).toEqual({ name, audit: false, answers: false, output: false, disk: [] });
    }
  });
});
