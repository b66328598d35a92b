import type { Ambit } from "../../packages/server/src/ambit.ts";

/** Calls the API as the member whose person key the first start made; throws with what it answered when that is a refusal. */
export type MemberApi = <T>(method: string, path: string, body?: object) => Promise<T>;

export function asMember({ apiUrl, credentials }: Ambit): MemberApi {
  return async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${credentials.api_key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${text}`);
    const isJson = response.headers.get("content-type")?.startsWith("application/json");
    return (isJson ? JSON.parse(text) : text) as T;
  };
}
