/** An answer of the API: status, parsed body, headers. */
export interface Answer<T = any> {
  readonly status: number;
  readonly body: T;
  readonly headers: Headers;
}

/** Calls the API as one caller. */
export type Api = <T = any>(
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer<T>>;

/** `token` is an API key, an access token, or null for nobody. */
export function apiAs(apiUrl: string, token: string | null): Api {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      redirect: "manual",
    });
    const text = await response.text();
    let parsed: any = text;
    try {
      parsed = text === "" ? undefined : JSON.parse(text);
    } catch {
      // Not every answer is JSON; the text itself is what the test looks at.
    }
    return { status: response.status, body: parsed, headers: response.headers };
  };
}

/** An end user of an app, signed up and logged in. */
export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
  readonly token: string;
  readonly refreshToken: string;
  readonly api: Api;
}

/** Signs a new person up in an app and logs them in. */
export async function signUp(apiUrl: string, appId: string, name: string): Promise<Person> {
  const nobody = apiAs(apiUrl, null);
  const email = `${name}@example.com`;
  const password = "Correct-horse-7";
  const signed = await nobody("POST", `/auth/${appId}/signup`, { email, password, display_name: name });
  if (signed.status !== 201) throw new Error(`sign-up failed: ${JSON.stringify(signed.body)}`);
  const login = await nobody("POST", `/auth/${appId}/login`, { email, password });
  if (login.status !== 200) throw new Error(`log-in failed: ${JSON.stringify(login.body)}`);
  const token = login.body.access_token;
  return {
    id: login.body.user.id,
    email,
    password,
    token,
    refreshToken: login.body.refresh_token,
    api: apiAs(apiUrl, token),
  };
}
