import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from "node:crypto";

/**
 * What the master key is used for. Each purpose has a key of its own (HKDF-SHA-256, RFC 5869), so that a sealed
 * value of one kind can never be opened, or a derived password replayed, as another kind.
 */
export class Secrets {
  readonly #master: Buffer;
  readonly #keys = new Map<string, Buffer>();

  /** `master` is 32 bytes. */
  constructor(master: Buffer) {
    this.#master = master;
  }

  /** Seals text with AES-256-GCM; `context` (e.g. the app id) is authenticated and must be given again to open it. */
  seal(purpose: string, text: string, context = ""): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", this.#key(purpose), nonce);
    cipher.setAAD(Buffer.from(context));
    const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
    return ["v1", nonce, cipher.getAuthTag(), body]
      .map((part) => (typeof part === "string" ? part : part.toString("base64url")))
      .join(".");
  }

  /** Opens what `seal` made; throws when the text, the purpose, the context or the master key is not the same. */
  open(purpose: string, sealed: string, context = ""): string {
    const [version, nonce, tag, body] = sealed.split(".");
    if (version !== "v1" || nonce === undefined || tag === undefined || body === undefined) {
      throw new Error("not a sealed value");
    }
    // Without the length a tag cut to four bytes would do, which can be guessed.
    const options = { authTagLength: 16 };
    const iv = Buffer.from(nonce, "base64url");
    const decipher = createDecipheriv("aes-256-gcm", this.#key(purpose), iv, options);
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(Buffer.from(tag, "base64url"));
    return decipher.update(Buffer.from(body, "base64url"), undefined, "utf8") + decipher.final("utf8");
  }

  /** A value that every node with this master key derives alike, e.g. the password of an app's login role. */
  derive(purpose: string, name: string): string {
    return createHmac("sha256", this.#key(purpose)).update(name).digest("base64url");
  }

  #key(purpose: string): Buffer {
    let key = this.#keys.get(purpose);
    if (key === undefined) {
      key = Buffer.from(hkdfSync("sha256", this.#master, "ambit", purpose, 32));
      this.#keys.set(purpose, key);
    }
    return key;
  }
}
