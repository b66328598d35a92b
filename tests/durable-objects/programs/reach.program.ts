import { DurableObject } from "cloudflare:workers";

/** Tries to get out: fetches each address it is given. */
export class Reach extends DurableObject {
  async fetch(request: Request): Promise<Response> {
    const targets = (await request.json()) as string[];
    const results: [string, string][] = [];
    for (const target of targets) results.push([target, await this.attempt(target)]);
    return Response.json(results);
  }

  private async attempt(target: string): Promise<string> {
    try {
      const answer = await fetch(target, { signal: AbortSignal.timeout(5_000), redirect: "follow" });
      return `${answer.status} ${(await answer.text()).slice(0, 200)}`;
    } catch (error) {
      return `threw ${(error as Error).name}`;
    }
  }
}
