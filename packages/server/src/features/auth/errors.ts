import { defineErrors } from "../../kernel/errors.ts";

export const authErrors = defineErrors({
  AUTH_INVALID_CREDENTIALS: {
    status: 401,
    message: "Address or password is wrong.",
    remediation: "Check both, or ask for a new password: POST /auth/<app_id>/forgot-password.",
  },
  AUTH_WRONG_PASSWORD: {
    status: 400,
    message: "The present password is wrong, or the account has none yet.",
    remediation: "Check it, or set a password by mail: POST /auth/<app_id>/forgot-password.",
  },
  AUTH_EMAIL_NOT_VERIFIED: {
    status: 403,
    message: "The address has not been verified yet.",
    remediation:
      "Enter the code from the mail: POST /auth/<app_id>/verify-email. Signing up again sends a new one.",
  },
  AUTH_EMAIL_ALREADY_REGISTERED: {
    status: 409,
    message: "There is an account with this address already.",
    remediation: "Log in, or ask for a new password: POST /auth/<app_id>/forgot-password.",
  },
  VALIDATION_WEAK_PASSWORD: {
    status: 400,
    message: "The password is too weak.",
    remediation:
      "Use 8 to 200 characters with an upper-case and a lower-case letter, a digit and a special character.",
  },
  AUTH_INVALID_CODE: {
    status: 400,
    message: "The code is wrong, used, or expired.",
    remediation: "Ask for a new code; five wrong entries void one.",
  },
  AUTH_INVALID_REFRESH_TOKEN: {
    status: 401,
    message: "The refresh token is unknown, expired, or its session has ended.",
    remediation: "Log in again: POST /auth/<app_id>/login.",
  },
  AUTH_REFRESH_TOKEN_REUSED: {
    status: 401,
    message: "The refresh token was used before; the session has been ended in case it was stolen.",
    remediation: "Log in again, and always keep the newest refresh token only.",
  },
  AUTH_BUSY: {
    status: 503,
    message: "Too many passwords are being checked at this moment.",
    remediation: "Try again in a second.",
  },
  OAUTH_PROVIDER_NOT_CONFIGURED: {
    status: 404,
    message: "The app has no such OAuth provider, or it is switched off.",
    remediation: "Configure it: manage_oauth action configure (POST /v1/<app_id>/auth/oauth-config).",
  },
  OAUTH_REDIRECT_NOT_ALLOWED: {
    status: 400,
    message: "The app does not allow sending tokens to this redirect_to.",
    remediation:
      "Add its origin to the app's allowed_origins (PATCH /v1/<app_id>/config/cors), or use one that is listed.",
  },
  OAUTH_STATE_INVALID: {
    status: 400,
    message:
      "This sign-in was not begun in this browser, is older than ten minutes, or has been finished already.",
    remediation: "Begin again: GET /auth/<app_id>/oauth/<provider>?redirect_to=….",
  },
  OAUTH_DENIED: {
    status: 400,
    message: "The provider did not let the user sign in.",
    remediation: "Let the user try again.",
  },
  OAUTH_EXCHANGE_FAILED: {
    status: 502,
    message: "The provider did not answer as OAuth 2.0 asks.",
    remediation: "Check client id, client secret and the provider's URLs (manage_oauth action get).",
  },
  OAUTH_ACCOUNT_EXISTS: {
    status: 409,
    message:
      "There is an account with this address, and it can't be joined because the address is not proven on both sides.",
    remediation:
      "Sign in by the code sent to the address (POST /auth/<app_id>/magic-link); then try the provider again.",
  },
});
