import type { CompiledPolicy } from "@ambit/policy";

/** The version of a policy that holds now, ready. */
export interface CurrentPolicy {
  readonly policyId: string;
  readonly name: string;
  readonly serverId: string;
  /** Counts from 1; every edit makes the next. */
  readonly version: number;
  readonly compiled: CompiledPolicy;
}

export interface GatewayPoliciesService {
  /**
   * What holds now; null when there is no such policy. An edit shows at once on the node that made it, elsewhere within a
   * second. A stored document that no longer compiles rejects: fail closed.
   */
  current(policyId: string): Promise<CurrentPolicy | null>;
  /** A version that held once; for replay and for the record. */
  version(policyId: string, version: number): Promise<CurrentPolicy | null>;
}
