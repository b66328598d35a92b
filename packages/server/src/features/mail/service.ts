import type { Platform } from "../../engines/platform.ts";
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

export interface Mail extends Letter {
  readonly appId: string;
  /** One bare address. */
  readonly to: string;
  /** What the mail is for, e.g. `verify_email`. */
  readonly kind: string;
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
  /** The latest mail of an app, newest first. Throws MAIL_OUTBOX_OFF when mail goes out by SMTP. */
  outbox(appId: string, to: string | null, limit: number): Promise<KeptMail[]>;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createMailService(platform: Platform): MailService {
  const { database, secrets, clock, config } = platform;
  const open = (row: store.MailRow): Letter => JSON.parse(secrets.open("mail", row.sealed, row.app_id));
  const delivery: Delivery | null =
    config.smtpUrl === null ? null : createDelivery(platform, config.smtpUrl, open);
  return {
    async send({ appId, to, kind, ...letter }) {
      const now = new Date(clock());
      const sealed = secrets.seal("mail", JSON.stringify(letter), appId);
      const row = { app_id: appId, recipient: to, kind, sealed, created_at: now };
      await store.insertMail(database, row, delivery === null ? null : now);
      if (delivery === null) await store.pruneKept(database, appId, now);
      else delivery.wake();
    },
    async outbox(appId, to, limit) {
      if (delivery !== null) throw mailErrors.MAIL_OUTBOX_OFF();
      const rows = await store.selectKept(database, appId, to, Math.min(limit, limits.keptPerApp));
      return rows.map((row) => ({
        id: row.id,
        to: row.recipient,
        kind: row.kind,
        createdAt: row.created_at,
        ...open(row),
      }));
    },
    start: async () => delivery?.start(),
    stop: async () => delivery?.stop(),
  };
}
