import type { CompiledPolicy, Problem } from "@ambit/policy";
import type { Queryable, Transaction } from "../../engines/postgres/database.ts";

/** The version of a policy that holds now, ready. */
export interface CurrentPolicy {
  readonly policyId: string;
  readonly name: string;
  readonly serverId: string;
  /** Counts from 1; every edit makes the next. */
  readonly version: number;
  readonly compiled: CompiledPolicy;
}

/** A live grant that has a policy. */
export interface PolicyUser {
  readonly id: string;
  readonly label: string;
}

export interface GatewayPoliciesService {
  /**
   * What holds now; null when there is no such policy. An edit shows at once on the node that made it, elsewhere within a
   * second. A stored document that no longer compiles rejects: fail closed.
   */
  current(policyId: string): Promise<CurrentPolicy | null>;
  /** The same from memory; undefined when it is not known at this moment. */
  peek(policyId: string): CurrentPolicy | null | undefined;
  /** A version that held once, also of a deleted policy; for replay and for the record. */
  version(policyId: string, version: number): Promise<CurrentPolicy | null>;
  /**
   * Keeps a policy from being deleted until `tx` ends. Throws RESOURCE_NOT_FOUND when the organisation has no such policy,
   * GATEWAY_POLICY_OF_ANOTHER_SERVER.
   */
  hold(tx: Transaction, policyId: string, of: { organizationId: string; serverId: string }): Promise<void>;
  /** Says how the live grants of a policy are found: what keeps it from being deleted. */
  usersFrom(find: (db: Queryable, policyId: string) => Promise<readonly PolicyUser[]>): void;
  /** Called with the id of a policy that was edited or deleted on this node. */
  onChanged(listener: (policyId: string) => void): void;
}

/** Who edits. */
export interface Author {
  readonly organizationId: string;
  readonly accountId: string;
  readonly keyId: string;
}

/** What writing a document came to. */
export interface Written {
  readonly policyId: string;
  readonly version: number;
  readonly warnings: readonly Problem[];
}
