import { deployActor } from "../support/actors.ts";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { must, newApp } from "../support/app.ts";
import { type Server, startServer } from "../support/server.ts";
import { sourceOf } from "./bare.ts";

/** An Ambit with two apps, an end user in each, and the class `identity` behind every access mode. */
export interface Stand {
  readonly server: Server;
  readonly owner: Api;
  /** Has `identity` (public), `members` (authenticated), `guarded` (service_key); `ada` is its user. */
  readonly red: string;
  /** Has `guarded` (service_key); `eve` is its user. */
  readonly blue: string;
  readonly ada: Person;
  readonly eve: Person;
  /** Path of an instance of `red` on the API host. */
  at(name: string, instance?: string, rest?: string): string;
}

export async function startStand(env: Record<string, string> = {}): Promise<Stand> {
  const server = await startServer(env);
  const owner = apiAs(server.apiUrl, server.apiKey);
  const [red, blue] = [await newApp(owner), await newApp(owner)];
  const [ada, eve] = [await signUp(server.apiUrl, red, "ada"), await signUp(server.apiUrl, blue, "eve")];
  await deployActor(owner, red, "identity", sourceOf("identity"), "public");
  await deployActor(owner, red, "members", sourceOf("identity"), "authenticated");
  await deployActor(owner, red, "guarded", sourceOf("identity"), "service_key");
  await deployActor(owner, blue, "guarded", sourceOf("identity"), "service_key");
  const at = (name: string, instance = "x", rest = "") => `/v1/${red}/do/${name}/${instance}${rest}`;
  return { server, owner, red, blue, ada, eve, at };
}

/** `host:port` of the app `red` by its own name. */
export async function ownHost({ owner, red }: Stand): Promise<string> {
  return new URL(must(await owner("GET", `/v1/${red}/durable-objects/identity`)).url).host;
}

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
