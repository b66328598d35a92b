import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import { mailErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";

/** What a mail says; codes stand beside the text for developers and agents who read the outbox. */
export interface Letter {
  readonly subject: string;
  readonly text: string;
  /** The one-time code of digits in the text. */
  readonly code?: string;
  /** The opaque one-time token in the text. */
  readonly token?: string;
}

/** Where a mail goes and why. */
interface Addressed extends Letter {
  /** One bare address. */
  readonly to: string;
  /** What the mail is for, e.g. `verify_email`. */
  readonly kind: string;
}

/** An app's mail to one of its users. */
export interface Mail extends Addressed {
  readonly appId: string;
}

/** An organisation's mail to one of its members. */
export interface OrganizationMail extends Addressed {
  readonly organizationId: string;
}

/** A mail as a developer reads it. */
export interface KeptMail extends Letter {
  readonly id: string;
  readonly to: string;
  readonly kind: string;
  readonly createdAt: Date;
}

export interface MailService {
  /** Takes the mail; it is durable when the promise resolves, and leaves as soon as the SMTP server takes it. */
  send(mail: Mail): Promise<void>;
  /** Takes an organisation's mail as part of `tx`: it leaves, or is there to be read, exactly when `tx` commits. */
  sendWith(tx: Transaction, mails: readonly OrganizationMail[]): Promise<void>;
  /** The latest mail of an app, newest first. Throws MAIL_OUTBOX_OFF when mail goes out by SMTP. */
  outbox(appId: string, to: string | null, limit: number): Promise<KeptMail[]>;
  /** The latest mail to an organisation's members, newest first. Throws MAIL_OUTBOX_OFF when mail goes out by SMTP. */
  organizationOutbox(organizationId: string, to: string | null, limit: number): Promise<KeptMail[]>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createMailService(platform: Platform): MailService {
  const { database, secrets, clock, config } = platform;
  const open = (row: store.MailRow): Letter =>
    JSON.parse(secrets.open("mail", row.sealed, (row.app_id ?? row.organization_id)!));
  const delivery: Delivery | null =
    config.smtpUrl === null ? null : createDelivery(platform, config.smtpUrl, open);
  const rowOf = (owner: store.MailOwner, { to, kind, subject, text, code, token }: Addressed, now: Date) => ({
    recipient: to,
    kind,
    sealed: secrets.seal("mail", JSON.stringify({ subject, text, code, token }), store.idOf(owner)),
    created_at: now,
  });
  const kept = async (owner: store.MailOwner, to: string | null, limit: number): Promise<KeptMail[]> => {
    if (delivery !== null) throw mailErrors.MAIL_OUTBOX_OFF();
    const rows = await store.selectKept(database, owner, to, Math.min(limit, limits.keptPerOwner));
    return rows.map((row) => ({
      id: row.id,
      to: row.recipient,
      kind: row.kind,
      createdAt: row.created_at,
      ...open(row),
    }));
  };
  return {
    async send(mail) {
      const now = new Date(clock());
      const owner = { appId: mail.appId };
      await store.insertMail(database, owner, rowOf(owner, mail, now), delivery === null ? null : now);
      if (delivery === null) await store.pruneKept(database, owner, now);
      else delivery.wake();
    },
    async sendWith(tx, mails) {
      const now = new Date(clock());
      const owners = new Map<string, store.MailOwner>();
      for (const mail of mails) {
        const owner = { organizationId: mail.organizationId };
        owners.set(mail.organizationId, owner);
        await store.insertMail(tx, owner, rowOf(owner, mail, now), delivery === null ? null : now);
      }
      if (delivery === null) for (const owner of owners.values()) await store.pruneKept(tx, owner, now);
      else if (mails.length > 0) tx.beforeCommit(async () => delivery.wakeSoon());
    },
    outbox: (appId, to, limit) => kept({ appId }, to, limit),
    organizationOutbox: (organizationId, to, limit) => kept({ organizationId }, to, limit),
    start: async () => delivery?.start(),
    stop: async () => delivery?.stop(),
  };
}
