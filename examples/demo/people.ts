/** An end user of the demo's app, with the few calls the demo makes as them. */
export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  /** Inserts a note of their own; its id. */
  write(appId: string, note: Record<string, unknown>): Promise<string>;
  change(appId: string, id: string, patch: Record<string, unknown>): Promise<void>;
  remove(appId: string, id: string): Promise<void>;
}

/** Signs a person up and logs them in, as an app's own page would do it. */
export async function signUp(apiUrl: string, appId: string, name: string, password: string): Promise<Person> {
  const email = `${name}@example.com`;
  await request(apiUrl, "POST", `/auth/${appId}/signup`, null, { email, password, display_name: name });
  const login = await request(apiUrl, "POST", `/auth/${appId}/login`, null, { email, password });
  const token = login.access_token;
  const send = (method: string, path: string, body?: object) => request(apiUrl, method, path, token, body);
  return {
    id: login.user.id,
    email,
    password,
    token,
    write: async (app, note) => (await send("POST", `/v1/${app}/notes`, note)).id,
    change: async (app, id, patch) => void (await send("PATCH", `/v1/${app}/notes/${id}`, patch)),
    remove: async (app, id) => void (await send("DELETE", `/v1/${app}/notes/${id}`)),
  };
}

/** What the demo reads of an answer. */
interface Answer {
  readonly id: string;
  readonly access_token: string;
  readonly user: { readonly id: string };
}

async function request(
  apiUrl: string,
  method: string,
  path: string,
  token: string | null,
  body?: object,
): Promise<Answer> {
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Answer;
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}
