import { DurableObject, env as imported } from "cloudflare:workers";

/** Variables of the app, from the constructor, from the field, from the import. */
export class EnvVars extends DurableObject<Record<string, string>> {
  fetch(request: Request): Response {
    const names = new URL(request.url).searchParams.getAll("name");
    return Response.json(
      names.map((name) => [
        name,
        this.env[name] ?? null,
        this.env[name] === (imported as Record<string, string>)[name],
        typeof this.env[name],
      ]),
    );
  }
}
