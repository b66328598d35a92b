import { createTransport } from "nodemailer";
import type { Platform } from "../../engines/platform.ts";
import { limits } from "./limits.ts";
import type { Letter } from "./service.ts";
import * as store from "./store.ts";

/** Hands waiting mail to the SMTP server. */
export interface Delivery {
  /** There is something new to send. */
  wake(): void;
  /** There will be, once the transaction that is about to commit has. */
  wakeSoon(): void;
  start(): void;
  /** Finishes the mail under way; what waits stays in the database. */
  stop(): Promise<void>;
}

const TRANSPORT = {
  connectionTimeout: limits.smtpMs,
  greetingTimeout: limits.smtpMs,
  socketTimeout: limits.smtpMs,
  // A letter is text of ours: nothing in it may make the transport read files or fetch URLs.
  disableFileAccess: true,
  disableUrlAccess: true,
};

/**
 * Mail leaves in order, one at a time, from any node. A mail is deleted once the server has taken it: after a crash
 * in between it goes out again, rather than never.
 */
export function createDelivery(
  platform: Platform,
  smtpUrl: string,
  open: (row: store.MailRow) => Letter,
): Delivery {
  const { database, clock, log, config, metrics } = platform;
  const given = metrics.counter("ambit_mail_given_up_total", "Mails the SMTP server would not take.");
  const transport = createTransport({ url: smtpUrl, ...TRANSPORT }, { from: config.mailFrom });
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const attempt = async (row: store.MailRow): Promise<void> => {
    try {
      const { subject, text } = open(row);
      await transport.sendMail({ to: { name: "", address: row.recipient }, subject, text });
    } catch (error) {
      if (row.attempts < limits.attempts && !isFinal(error)) {
        log.warn(
          { mail: row.id, attempts: row.attempts, err: error },
          "mail was not taken; it is tried again",
        );
        return;
      }
      given.inc();
      log.error(
        { mail: row.id, app: row.app_id, organization: row.organization_id, kind: row.kind, err: error },
        "mail was given up",
      );
    }
    await store.deleteMail(database, row.id);
  };
  const drain = async (): Promise<void> => {
    do {
      again = false;
      for (let row = await next(); row !== null; row = await next()) await attempt(row);
    } while (again && !stopped);
  };
  const next = async () => (stopped ? null : store.claimDue(database, new Date(clock())));
  const wake = () => {
    again = true;
    running ??= drain()
      .catch((error) => log.warn({ err: error }, "looking for mail failed; it is tried again"))
      .finally(() => {
        running = null;
      });
  };
  return {
    wake,
    wakeSoon: () => void setTimeout(() => stopped || wake(), limits.afterCommitMs).unref(),
    start() {
      timer = setInterval(wake, limits.pollMs);
      timer.unref();
      wake();
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
      transport.close();
    },
  };
}

/** A permanent negative reply (RFC 5321 §4.2.1): trying again can't help. */
function isFinal(error: unknown): boolean {
  const code = (error as { responseCode?: number }).responseCode;
  return code !== undefined && code >= 500;
}
