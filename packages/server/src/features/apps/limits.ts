/** Limits of apps. */
export const limits = {
  /** Apps of one organisation. */
  appsPerOrganization: 1_000,
  /** A name as it is given, before it is brought into the form names have. */
  givenNameChars: 200,
  /** Origins in an app's CORS list. */
  allowedOrigins: 100,
  /** Variables of an app. */
  envVariables: 200,
  /** One variable's value. */
  envValueChars: 8_192,
  /** Tries to find a free subdomain before giving up. */
  subdomainTries: 5,
} as const;
