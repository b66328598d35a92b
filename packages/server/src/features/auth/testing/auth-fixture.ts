import type { GuardedFetch } from "../../../kernel/guarded-fetch.ts";
import type { HttpReply } from "../../../kernel/http-reply.ts";
import { newUuid } from "../../../kernel/ids.ts";
import type { App, Call } from "../../../kernel/operation.ts";
import { type AuditEntry, createPipeline } from "../../../kernel/pipeline.ts";
import { ANONYMOUS, type Principal } from "../../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createMail } from "../../mail/index.ts";
import type { KeptMail, MailService } from "../../mail/service.ts";
import { createAuth } from "../index.ts";
import type { AuthService } from "../service.ts";

export type Json = Record<string, never> & { user: Record<string, unknown> };
type CallPatch = Partial<Call> & { token?: string };

/** Auth and mail on a real database, called as the doors call them. */
export interface AuthFixture extends TestPlatform {
  readonly auth: AuthService;
  readonly mail: MailService;
  readonly recorded: AuditEntry[];
  /** Milliseconds since the epoch; settable. */
  time: { now: number };
  /** Runs an operation as a caller of `patch`; `token` is resolved as the HTTP door does it. */
  run<T = Json>(name: string, app: App, input?: object, patch?: CallPatch): Promise<T>;
  /** The latest mail to an address. */
  mailTo(app: App, to: string): Promise<KeptMail>;
  /** A user with a session; the address is verified when asked for. */
  member(app: App, email: string, verified?: boolean): Promise<TokenPair>;
}

export interface TokenPair {
  access_token: string;
  refresh_token: string;
  user: { id: string; email: string };
}

export const PASSWORD = "Correct-Horse-7";
export const reply = (output: unknown): HttpReply => output as HttpReply;

export async function authFixture(fetch?: GuardedFetch): Promise<AuthFixture> {
  const test = await testPlatform();
  // The real time, moved on by tests that wait for something to expire.
  const time = { now: 0 };
  const clock = () => Date.now() + time.now;
  const platform = { ...test.platform, clock };
  const mail = createMail(platform).service;
  const { feature, service: auth } = createAuth(platform, {
    apps: test.apps,
    mail,
    ...(fetch ? { fetch } : {}),
  });
  const recorded: AuditEntry[] = [];
  const pipeline = createPipeline({
    findApp: (reference) => test.apps.find(reference),
    record: async (entry) => void recorded.push(entry),
  });
  const principalOf = async (
    app: App,
    token: string | undefined,
  ): Promise<Pick<Call, "principal" | "principalProblem">> => {
    if (token === undefined) return { principal: ANONYMOUS };
    try {
      return { principal: await auth.verifyAccessToken(app.id, token) };
    } catch (problem) {
      return { principal: ANONYMOUS, principalProblem: problem as never };
    }
  };
  const run: AuthFixture["run"] = async <T>(
    name: string,
    app: App,
    input: object = {},
    patch: CallPatch = {},
  ) => {
    const operation = feature.operations.find((each) => each.name === name);
    if (operation === undefined) throw new Error(`no operation ${name}`);
    const { token, ...rest } = patch;
    const call: Call = {
      ...(await principalOf(app, token)),
      door: "http",
      requestId: newUuid(),
      ip: "127.0.0.1",
      userAgent: "test",
      nowMs: clock(),
      signal: new AbortController().signal,
      ...rest,
    };
    return (await pipeline(operation, call, { ...input, app_id: app.id })) as T;
  };
  const mailTo = async (app: App, to: string) => {
    const [latest] = await mail.outbox(app.id, to, 1);
    if (latest === undefined) throw new Error(`no mail to ${to}`);
    return latest;
  };
  return {
    ...test,
    platform,
    auth,
    mail,
    recorded,
    time,
    run,
    mailTo,
    async member(app, email, verified = true) {
      await run("auth.signup", app, { email, password: PASSWORD });
      if (verified) await run("auth.verify_email", app, { email, code: (await mailTo(app, email)).code });
      return run<TokenPair>("auth.login", app, { email, password: PASSWORD });
    },
  };
}

/** A developer's key of the fixture's organisation. */
export const developer = (test: AuthFixture): Principal => ({
  kind: "key",
  keyId: newUuid(),
  keyKind: "agent",
  accountId: newUuid(),
  organizationId: test.organizationId,
  role: "developer",
  scopes: ["*"],
  expiresAtMs: null,
});
