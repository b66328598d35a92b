import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { AmbitError, errors } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";

/** Any thrown value as the error the caller is told; what is not meant for callers is logged and hidden. */
export function toAmbitError(error: unknown, log: Log, requestId: string): AmbitError {
  if (error instanceof AmbitError) return error;
  const known = fromFastify(error as FastifyError);
  if (known !== null) return known;
  log.error({ err: error, requestId }, "unexpected error");
  return errors.INTERNAL_ERROR({ details: { request_id: requestId } });
}

/** Fastify's own refusals, in our words. */
function fromFastify(error: FastifyError): AmbitError | null {
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return errors.REQUEST_TOO_LARGE();
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return errors.REQUEST_ERROR({
        message: "The body has a content type this server does not read.",
        remediation: "Send JSON with Content-Type: application/json.",
      });
    case "FST_ERR_BAD_URL":
      return errors.REQUEST_ERROR({ message: "The path is not valid percent-encoded UTF-8." });
    default:
      if (typeof error?.statusCode === "number" && error.statusCode < 500 && error.code?.startsWith("FST_")) {
        return errors.REQUEST_ERROR({ message: error.message });
      }
      return null;
  }
}

/** Sends an error in the one body form, with its status and headers. */
export function sendError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
  publicUrl: string,
): FastifyReply {
  const known = toAmbitError(error, log, request.id);
  if (known.status === 401) reply.header("www-authenticate", 'Bearer realm="ambit"');
  return reply.status(known.status).headers(known.headers).send(known.toBody(publicUrl));
}
