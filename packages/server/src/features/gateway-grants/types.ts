/** A labelled bearer token for one server, as it is this moment. */
export interface Grant {
  /** `gra_` and a ULID. */
  readonly id: string;
  readonly organizationId: string;
  readonly serverId: string;
  /** Null: everything is denied. */
  readonly policyId: string | null;
  readonly label: string;
  /** The member who made it, and answers for it. */
  readonly accountId: string;
  readonly expiresAtMs: number | null;
  /** How often its token was replaced: a stream that began with another number began with a token that is dead. */
  readonly rotation?: number;
}

/** What became of a grant: its end, another token, or another policy, label or expiry. */
export type GrantChange = "revoked" | "rotated" | "changed";

export interface GatewayGrantsService {
  /**
   * The live grant behind a token (`amb_gr_…`), or null: also when its maker is no member of the organisation any more. A
   * revocation shows at once here, elsewhere within a second.
   */
  resolve(token: string, nowMs: number): Promise<Grant | null>;
  /** Whether a grant is live now, by id; for open streams. Same delays. */
  byId(grantId: string): Promise<Grant | null>;
  /** A grant's label, live or not; null when there is none. */
  labelOf(grantId: string): Promise<string | null>;
  /** Called with the id of a grant that was revoked, rotated or deleted on this node, or whose policy was changed. */
  onChanged(listener: (grantId: string, what: GrantChange) => void): void;
}

/** For the record: which grants there are or were. */
export interface GrantsOfServers {
  /** Ids of a server's grants, revoked and expired ones included, in no order; null when there are more than `most`. */
  idsOfServer(serverId: string, most: number): Promise<readonly string[] | null>;
}
