/** A person as a provider knows them. */
export interface Profile {
  /** The provider's own lasting id of the person. */
  readonly subject: string;
  /** Lower case, or null when the provider gave none. */
  readonly email: string | null;
  /** True only where the provider says that the person proved the address. */
  readonly emailVerified: boolean;
  readonly name: string | null;
  readonly avatarUrl: string | null;
}

type Claims = Readonly<Record<string, unknown>>;
type Reader = (claims: Claims) => Partial<Profile>;

const text = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null);
const isTrue = (value: unknown): boolean => value === true || value === "true";
const record = (value: unknown): Claims =>
  typeof value === "object" && value !== null ? (value as Claims) : {};

/** OpenID Connect Core §5.1. */
const openid: Reader = (claims) => ({
  emailVerified: isTrue(claims.email_verified),
  name: text(claims.name),
  avatarUrl: text(claims.picture),
});

/** How each provider spells it, where it is not the OpenID Connect way. */
const READERS: Readonly<Record<string, Reader>> = {
  github: (claims) => ({
    emailVerified: isTrue(claims.email_verified),
    name: text(claims.name) ?? text(claims.login),
    avatarUrl: text(claims.avatar_url),
  }),
  discord: (claims) => ({
    emailVerified: isTrue(claims.verified),
    name: text(claims.global_name) ?? text(claims.username),
    avatarUrl:
      text(claims.avatar) === null
        ? null
        : `https://cdn.discordapp.com/avatars/${claims.id}/${claims.avatar}.png`,
  }),
  // Facebook does not say whether an address was proven.
  facebook: (claims) => ({
    emailVerified: false,
    name: text(claims.name),
    avatarUrl: text(record(record(claims.picture).data).url),
  }),
  // The address of a Microsoft account is whatever its tenant wrote there, unless the tenant proved the domain.
  microsoft: (claims) => ({
    ...openid(claims),
    emailVerified: isTrue(claims.xms_edov) || claims.xms_edov === 1,
  }),
  x: (claims) => ({
    email: text(claims.confirmed_email),
    emailVerified: text(claims.confirmed_email) !== null,
    name: text(claims.name) ?? text(claims.username),
    avatarUrl: text(claims.profile_image_url),
  }),
};

/** Reads the claims of an ID token or a userinfo answer; null when they name nobody. Pure. */
export function profileOf(provider: string, answer: Claims): Profile | null {
  const claims = provider === "x" ? record(answer.data) : answer;
  const id = claims.sub ?? claims.id;
  const subject = typeof id === "number" ? String(id) : text(id);
  if (subject === null || subject.length > 255) return null;
  const read = (READERS[provider] ?? openid)(claims);
  const email = (read.email ?? text(claims.email))?.trim().toLowerCase() ?? null;
  const usable = email !== null && email.length <= 254 && /^[^\s@]+@[^\s@]+$/.test(email) ? email : null;
  return {
    subject,
    email: usable,
    emailVerified: usable !== null && read.emailVerified === true,
    name: read.name?.slice(0, 200) ?? null,
    avatarUrl:
      read.avatarUrl?.startsWith("https://") && read.avatarUrl.length <= 2_000 ? read.avatarUrl : null,
  };
}

/** The address to use of GitHub's list: the primary one, which GitHub says is verified or not. Pure. */
export function primaryEmail(list: unknown): { email: string; email_verified: boolean } | null {
  if (!Array.isArray(list)) return null;
  const primary = list.map(record).find((entry) => entry.primary === true && text(entry.email) !== null);
  return primary === undefined
    ? null
    : { email: primary.email as string, email_verified: primary.verified === true };
}
