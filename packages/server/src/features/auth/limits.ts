import type { RateRule } from "../../kernel/rate-limit.ts";

const WINDOW_S = 15 * 60;

/** Limits of end-user auth. */
export const limits = {
  passwordLeastChars: 8,
  passwordChars: 200,
  /** RFC 5321 §4.5.3.1.3, without the angle brackets. */
  emailChars: 254,
  displayNameChars: 200,
  urlChars: 2_000,
  /** Argon2id with 19 MiB, 2 passes, 1 lane: the OWASP recommendation. */
  hashMemoryKib: 19_456,
  hashPasses: 2,
  /** Passwords hashed at once: bounds memory at 2 × 19 MiB and leaves threads for the rest. */
  hashesAtOnce: 2,
  /** Hashes that may wait; about three seconds' worth. */
  hashesWaiting: 200,
  codeDigits: 6,
  /** Wrong entries of one code, after which it is void. */
  codeAttempts: 5,
  verifyCodeMs: 24 * 3_600_000,
  resetCodeMs: 3_600_000,
  magicCodeMs: 15 * 60_000,
  /** Answers that must not tell whether an address is known take a multiple of this. */
  answerStepMs: 250,
  /** An access token; longer ones are refused unread. */
  accessTokenChars: 4_096,
  accessTtlLeastS: 1,
  accessTtlMostS: 30 * 86_400,
  refreshDaysMost: 365,
  /** Sessions one user may have; the one unused for longest ends. */
  sessionsPerUser: 100,
  /** Sessions that are over and dropped at each sign-in, whosever they were. */
  expiredPerSignIn: 100,
  /** How long a session counts as alive without asking again: the bound on how late another node's revocation shows. */
  sessionCheckMs: 800,
  /** Verified tokens kept in memory, by their total length in characters. */
  verifiedTokenChars: 8 * 1024 * 1024,
  signingKeysMs: 60_000,
  jwksMaxAgeS: 300,
  userAgentChars: 300,
  usersPage: 200,
  /** From leaving for an OAuth provider to coming back. */
  oauthStateMs: 10 * 60_000,
  oauthProviders: 30,
  oauthMetadataChars: 4_096,
  /** A provider's published keys, kept this long. */
  providerKeysMs: 10 * 60_000,
} as const;

const rule = (name: string, points: number): RateRule => ({
  name: `auth_${name}`,
  points,
  windowS: WINDOW_S,
});

/**
 * Per 15 minutes. `perAddress` counts by app and IP address and is a hundred times as generous to callers of this
 * machine, behind whose address every user of a local installation stands. The others count by account as well, so
 * that nobody can use up what belongs to somebody else from one address.
 */
export const rates = {
  perAddress: {
    signup: rule("signup", 5),
    login: rule("login", 10),
    magicLink: rule("magic_link", 5),
    magicLinkVerify: rule("magic_link_verify", 10),
    oauth: rule("oauth", 30),
    /** All that names an account without proof; bounds what one caller can make this process remember. */
    recovery: rule("recovery", 100),
  },
  perAddressAndAccount: {
    forgotPassword: rule("forgot_password", 3),
    resetPassword: rule("reset_password", 5),
    verifyEmail: rule("verify_email", 10),
    changePassword: rule("change_password", 10),
  },
  /** By app and account alone, against guessing from many addresses at once. */
  perAccount: { login: rule("login_account", 100), mail: rule("mail_account", 6) },
  /** By session; more for apps whose access tokens live less than a minute and a half. */
  refresh: rule("refresh", 20),
} as const;

/** Times `perAddress` holds for callers of this machine. */
export const loopbackFactor = 100;
