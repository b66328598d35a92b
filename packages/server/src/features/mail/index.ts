import type { Platform } from "../../engines/platform.ts";
import type { Feature } from "../../kernel/operation.ts";
import { mailErrors } from "./errors.ts";
import { mailOperations } from "./operations.ts";
import { createMailService, type MailService } from "./service.ts";

/** Mail of apps to their users and of organisations to their members: through SMTP, or into an outbox to be read. */
export function createMail(platform: Platform): { feature: Feature; service: MailService } {
  const service = createMailService(platform);
  const feature: Feature = {
    name: "mail",
    operations: mailOperations(service),
    errors: mailErrors.entries,
    start: () => service.start(),
    stop: () => service.stop(),
  };
  return { service, feature };
}
