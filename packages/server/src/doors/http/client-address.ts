import type { IncomingMessage } from "node:http";

/** Who sent the request: its socket's address, or what that many trusted proxies in front say of it. */
export function addressOf({ socket, headers }: IncomingMessage, trustedProxies: number): string {
  const forwardedFor = headers["x-forwarded-for"];
  return clientAddress(
    socket.remoteAddress ?? "",
    Array.isArray(forwardedFor) ? forwardedFor.join(",") : forwardedFor,
    trustedProxies,
  );
}

/** The caller's address: the socket's, or what that many trusted proxies in front say of it. Pure. */
export function clientAddress(
  remote: string,
  forwardedFor: string | undefined,
  trustedProxies: number,
): string {
  if (trustedProxies === 0 || forwardedFor === undefined) return remote;
  const hops = [
    remote,
    ...forwardedFor
      .split(",")
      .map((hop) => hop.trim())
      .reverse(),
  ];
  return hops[Math.min(trustedProxies, hops.length - 1)] || remote;
}
