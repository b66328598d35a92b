import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { approvalsStand, type Stand } from "../../../features/approvals/testing/stand.ts";
import { errors } from "../../../kernel/errors.ts";
import { createRateLimit } from "../../../kernel/rate-limit.ts";
import { createHttpServer } from "../../http/server.ts";
import { createPrincipalResolver } from "../../principal.ts";
import { registerApprovePage } from "../index.ts";

/** The page on a real port, with real approvals behind it. */
export interface Door extends Stand {
  readonly url: string;
  readonly port: number;
  /** The URL handed out; another one puts the page behind a proxy. */
  publicUrl: string;
  close(): Promise<void>;
}

export async function startDoor(badKeysPerMinute = 5): Promise<Door> {
  const stand = await approvalsStand();
  const { platform } = stand;
  const door = { ...stand, url: "", port: 0, publicUrl: "" } as Door;
  const fastify = createHttpServer({
    log: platform.log,
    baseDomain: "localhost",
    trustedProxies: 0,
    publicUrl: () => door.publicUrl,
    findApp: async () => null,
  });
  const badKeys = { name: "bad_keys", points: badKeysPerMinute, windowS: 60 };
  registerApprovePage(fastify, {
    approvals: stand.service,
    keys: stand.keys,
    resolvePrincipal: createPrincipalResolver({
      resolveKey: (token) => stand.keys.resolve(token),
      verifyAccessToken: () => Promise.reject(errors.AUTH_INVALID_TOKEN()),
      badKeys: createRateLimit(badKeys, platform.metrics),
    }),
    secrets: platform.secrets,
    clock: platform.clock,
    log: platform.log,
    publicUrl: () => door.publicUrl,
  });
  await fastify.listen({ host: "127.0.0.1", port: 0 });
  const { port } = fastify.server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  return Object.assign(door, {
    ...{ url, port, publicUrl: url },
    async close() {
      fastify.server.closeAllConnections();
      await fastify.close();
      await stand.stop();
    },
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One raw request; unlike `fetch`, it may say any `Host` and `Origin`. */
export function ask(
  port: number,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          body: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** A browser without scripts, as far as this page needs one: it keeps the cookie, and fills forms in. */
export class Visitor {
  cookie = "";
  readonly #door: Pick<Door, "url" | "port">;

  constructor(door: Pick<Door, "url" | "port">) {
    this.#door = door;
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    return this.#keep(
      await ask(this.#door.port, "GET", path, { ...(this.cookie && { cookie: this.cookie }), ...headers }),
    );
  }

  /** Sends a form as a browser would from this very page; `headers` says otherwise. */
  async post(
    path: string,
    form: Readonly<Record<string, string>>,
    headers: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Answer> {
    const all: Record<string, string | undefined> = {
      "content-type": "application/x-www-form-urlencoded",
      origin: this.#door.url,
      "sec-fetch-site": "same-origin",
      ...(this.cookie && { cookie: this.cookie }),
      ...headers,
    };
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    const body = new URLSearchParams(form).toString();
    return this.#keep(await ask(this.#door.port, "POST", path, sent as Record<string, string>, body));
  }

  async signIn(id: string, token: string): Promise<Answer> {
    return this.post(`/approve/${id}/sign-in`, { key: token });
  }

  /** From the approval's page to the form that confirms the decision. */
  async choose(id: string, decision: "approve" | "reject"): Promise<Answer> {
    const page = await this.get(`/approve/${id}`);
    return this.post(`/approve/${id}/confirm`, { ...hiddenOf(page), decision });
  }

  /** All the way. */
  async decide(id: string, decision: "approve" | "reject", reason?: string): Promise<Answer> {
    const confirm = await this.choose(id, decision);
    const form = { ...hiddenOf(confirm), ...(reason !== undefined && { reason }) };
    return this.post(`/approve/${id}/decide`, form);
  }

  #keep(answer: Answer): Answer {
    const set = answer.headers["set-cookie"]?.[0];
    if (set !== undefined) {
      const value = set.slice(0, set.indexOf(";"));
      this.cookie = value.endsWith("=") ? "" : value;
    }
    return answer;
  }
}

/** The hidden fields of a page's forms. */
export function hiddenOf({ body }: Answer): Record<string, string> {
  const found = body.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g);
  return Object.fromEntries([...found].map(([, name, value]) => [name, value]));
}

/** The same text with one character changed, well inside. */
export function tampered(text: string): string {
  const at = text.length - 10;
  return `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`;
}
