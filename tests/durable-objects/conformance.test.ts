import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Api, apiAs } from "../support/api.ts";
import { discard, type Server, startServer } from "../support/server.ts";
import { type Bare, startBare } from "./bare.ts";
import { APPS } from "./cases/index.ts";
import type { AppCases, Case } from "./cases/types.ts";
import { createClient, type Host } from "./client.ts";
import { deployThroughAmbit } from "./through-ambit.ts";

/*
 * Every program runs twice: on a workerd that nobody of ours has touched, and through Ambit. Both must hold the
 * conversation of the case, and the two transcripts (statuses, the program's headers, bodies, frames in their order,
 * codes of closing) must be the same. Where Ambit differs on purpose, the case compares less:
 *
 * | what                                  | bare workerd            | Ambit                          | compared           |
 * |---------------------------------------|-------------------------|--------------------------------|--------------------|
 * | user code throws                      | 500, text               | 500, JSON error body           | status, no secret  |
 * | unknown class                         | the router's text       | 404, JSON error body or text   | status             |
 * | the stream of an answer breaks off    | connection is cut       | connection is cut              | that it is no whole|
 * | keys, values beyond Cloudflare's size | accepted                | refused                        | only what is within|
 * | `set-cookie`, `x-request-id`, CSP     | as made                 | removed or added on API host   | not                |
 * | `cookie`                              | as sent                 | on the app's own host only     | there              |
 * | host in `request.url`                 | as sent                 | the app's own, at both doors   | as `HOST`          |
 * | `x-butterbase-*`, `x-ambit-*`         | as sent                 | Ambit's own                    | not (hostile.test) |
 * | `BUTTERBASE_*` in env                 | none                    | injected                       | not                |
 * | ids                                   | hang on the class's key | hang on the class's key        | as `ID`            |
 * | compressed bodies                     | bytes                   | bytes                          | what they unpack to|
 *
 * Some apps are reached by `/v1/<app>/do/…`, some by their own host name (`byOwnName`).
 *
 * AMBIT_CONFORMANCE=bare runs the first half alone: are the programs themselves right?
 */
const bareOnly = process.env.AMBIT_CONFORMANCE === "bare";

let server: Server | undefined;
let owner: Api;
beforeAll(async () => {
  if (bareOnly) return;
  server = await startServer();
  owner = apiAs(server.apiUrl, server.apiKey);
});
afterAll(() => discard(server));

/** Holds one conversation; its transcript, to which a failure adds its own last line. */
async function hold(host: Host, { run }: Case): Promise<readonly string[]> {
  const client = createClient(host);
  try {
    await run(client);
  } catch (error) {
    (error as Error).message += `\n\nuntil then:\n${client.transcript.slice(-12).join("\n")}`;
    throw error;
  }
  return client.transcript;
}

it("has at least forty programs, all of them driven", () => {
  const programs = new Set(APPS.flatMap((app) => app.programs));
  expect(programs.size).toBeGreaterThanOrEqual(40);
  for (const app of APPS) expect(app.programs.length).toBeLessThanOrEqual(5);
});

describe.concurrent.each(APPS.filter(({ alone }) => !alone))("$name", { timeout: 120_000 }, suite);
describe.each(APPS.filter(({ alone }) => alone))("$name", { timeout: 120_000 }, suite);

function suite(app: AppCases): void {
  let bare: Bare;
  let ambit: Host;
  beforeAll(async () => {
    [bare, ambit] = await Promise.all([
      startBare(app.programs, app.env),
      server === undefined ? (undefined as never) : deployThroughAmbit(server, owner, app),
    ]);
  });
  afterAll(() => bare?.stop());

  it.each(app.cases)("$name", async (each) => {
    const [expected, actual] = await Promise.allSettled([
      hold(bare, each),
      bareOnly ? undefined : hold(ambit, each),
    ]);
    if (expected.status === "rejected") throw prefixed("on bare workerd", expected.reason);
    if (actual.status === "rejected") throw prefixed("through Ambit", actual.reason);
    if (!bareOnly) expect(actual.value).toEqual(expected.value);
  });
}

function prefixed(where: string, error: Error): Error {
  error.message = `${where}: ${error.message}`;
  return error;
}
