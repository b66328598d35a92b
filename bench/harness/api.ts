import type { RunningAmbit } from "./ambit.ts";

/** Calls Ambit's API as one caller; throws for every answer that is not a success. */
export type Api = <T = any>(method: string, path: string, body?: object) => Promise<T>;

/** `token` is a key, an access token, or null for nobody. */
export function apiOf(ambit: RunningAmbit, token: string | null): Api {
  return async (method, path, body) => {
    const response = await fetch(`${ambit.apiUrl}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
}
