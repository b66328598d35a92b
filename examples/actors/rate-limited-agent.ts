import { DurableObject } from "cloudflare:workers";

interface Task {
  readonly id: number;
  readonly prompt: string;
  readonly state: "waiting" | "done" | "failed";
  readonly answer: string | null;
}

/** Tasks an agent may be given at once, and how quickly it earns further ones. */
const BURST = 3;
const REFILL_MS = 2_000;
const PROMPT_CHARS = 4_000;

/**
 * An agent with a memory and a pace: one instance per user. Tasks are taken as long as there are tokens, stored before
 * they are acknowledged, and worked off one by one by an alarm, so that they outlive a restart. The thinking itself is
 * the app's function `think`: that is where a model would be called.
 *
 * `POST …/rate-limited-agent/<user>` `{"prompt": "…"}` → 202 with the task, or 429 with Retry-After; `GET` lists tasks.
 */
export class RateLimitedAgent extends DurableObject {
  constructor(ctx: DurableObjectState, env: unknown) {
    super(ctx, env as never);
    ctx.storage.sql.exec(
      "create table if not exists tasks (id integer primary key, prompt text, state text, answer text)",
    );
  }

  override async fetch(request: Request): Promise<Response> {
    if (request.method === "GET") {
      return Response.json({
        tasks: this.#sql("select * from tasks order by id"),
        tokens: await this.#tokens(),
      });
    }
    const { prompt } = await request.json<{ prompt?: unknown }>().catch(() => ({ prompt: undefined }));
    if (typeof prompt !== "string" || prompt === "" || prompt.length > PROMPT_CHARS) {
      return Response.json(
        { error: `prompt must be a text of 1 to ${PROMPT_CHARS} characters` },
        { status: 400 },
      );
    }
    const tokens = await this.#tokens();
    if (tokens < 1) {
      const wait = Math.ceil(((1 - tokens) * REFILL_MS) / 1_000);
      return Response.json(
        { error: "too many tasks" },
        { status: 429, headers: { "retry-after": String(wait) } },
      );
    }
    await this.ctx.storage.put("bucket", { tokens: tokens - 1, at: Date.now() });
    const [task] = this.#sql("insert into tasks (prompt, state) values (?, 'waiting') returning *", prompt);
    await this.ctx.storage.setAlarm(Date.now());
    return Response.json(task, { status: 202 });
  }

  /** Works off the oldest waiting task; a failure of this process in between runs it again. */
  override async alarm(): Promise<void> {
    const [task] = this.#sql("select * from tasks where state = 'waiting' order by id limit 1");
    if (task === undefined) return;
    const { invoke } = butterbase.ctx(null, this.env, this.ctx);
    const response = await invoke("think", { prompt: task.prompt });
    const state = response.ok ? "done" : "failed";
    this.#sql("update tasks set state = ?, answer = ? where id = ?", state, await response.text(), task.id);
    await this.ctx.storage.setAlarm(Date.now());
  }

  /** Tokens in the bucket now: what was left, and what has been earned since. */
  async #tokens(): Promise<number> {
    const bucket = await this.ctx.storage.get<{ tokens: number; at: number }>("bucket");
    if (bucket === undefined) return BURST;
    return Math.min(BURST, bucket.tokens + (Date.now() - bucket.at) / REFILL_MS);
  }

  #sql(query: string, ...params: unknown[]): Task[] {
    return this.ctx.storage.sql.exec(query, ...(params as SqlStorageValue[])).toArray() as unknown as Task[];
  }
}
