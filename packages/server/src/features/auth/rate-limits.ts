import ipaddr from "ipaddr.js";
import type { Metrics } from "../../kernel/metrics.ts";
import { createRateLimit, type RateLimit, type RateRule } from "../../kernel/rate-limit.ts";
import { loopbackFactor, rates } from "./limits.ts";

/** Who is counted: the app, the caller's address, and the account in question by address or id. */
export interface Counted {
  readonly appId: string;
  readonly ip: string;
  readonly account?: string;
}

type PerAddress = keyof typeof rates.perAddress;
type PerAddressAndAccount = keyof typeof rates.perAddressAndAccount;
type PerAccount = keyof typeof rates.perAccount;

/** Each call counts one use and throws QUOTA_RATE_LIMIT when there are none left. */
export interface AuthRates {
  address(name: PerAddress, counted: Counted): Promise<void>;
  addressAndAccount(name: PerAddressAndAccount, counted: Counted): Promise<void>;
  account(name: PerAccount, appId: string, account: string): Promise<void>;
  refresh(sessionId: string, accessTtlS: number): Promise<void>;
}

export function createAuthRates(metrics: Metrics): AuthRates {
  const made = new Map<string, RateLimit>();
  const limit = (rule: RateRule, points = rule.points) => {
    const key = `${rule.name} ${points}`;
    let known = made.get(key);
    if (known === undefined) {
      known = createRateLimit({ ...rule, points }, metrics);
      made.set(key, known);
    }
    return known;
  };
  return {
    address(name, { appId, ip }) {
      const rule = rates.perAddress[name];
      const points = isLoopback(ip) ? rule.points * loopbackFactor : rule.points;
      return limit(rule, points).consume(`${appId} ${network(ip)}`);
    },
    addressAndAccount: (name, { appId, ip, account }) =>
      limit(rates.perAddressAndAccount[name]).consume(`${appId} ${network(ip)} ${account}`),
    account: (name, appId, account) => limit(rates.perAccount[name]).consume(`${appId} ${account}`),
    refresh(sessionId, accessTtlS) {
      // A client needs one refresh per lifetime of an access token; twice that is always allowed.
      const needed = Math.ceil((2 * rates.refresh.windowS) / accessTtlS);
      return limit(rates.refresh, Math.max(rates.refresh.points, needed)).consume(sessionId);
    },
  };
}

/** The address as it is counted: an IPv6 caller holds a whole /64 and may change within it at will. */
export function network(ip: string): string {
  if (!ipaddr.isValid(ip)) return ip;
  const address = ipaddr.process(ip);
  if (address.kind() === "ipv4") return address.toString();
  return `${(address as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(":")}::/64`;
}

export function isLoopback(ip: string): boolean {
  return ipaddr.isValid(ip) && ipaddr.process(ip).range() === "loopback";
}
