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
}

export interface GatewayGrantsService {
  /** The live grant behind a token (`amb_gr_…`), or null. A revocation shows at once here, elsewhere within a second. */
  resolve(token: string, nowMs: number): Promise<Grant | null>;
  /** Whether a grant is live now, by id; for open streams. Same delays. */
  byId(grantId: string): Promise<Grant | null>;
  /** A grant's label, live or not; null when there is none. */
  labelOf(grantId: string): Promise<string | null>;
  /** Called with the id of a grant that was revoked, rotated or deleted on this node, or whose policy was changed. */
  onChanged(listener: (grantId: string) => void): void;
}
