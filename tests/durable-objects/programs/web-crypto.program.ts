import { DurableObject } from "cloudflare:workers";

const hex = (bytes: ArrayBuffer) =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** Digests, signatures, ciphers, keys derived and generated. */
export class WebCrypto extends DurableObject {
  async fetch(): Promise<Response> {
    const data = new TextEncoder().encode("what is signed");
    const raw = new TextEncoder().encode("a key of this length, 32 bytes!!");
    const hmac = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, [
      "sign",
      "verify",
    ]);
    const signature = await crypto.subtle.sign("HMAC", hmac, data);
    const aes = await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    const iv = new Uint8Array(12).fill(7);
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, aes, data);
    const opened = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, aes, sealed);
    const password = await crypto.subtle.importKey("raw", raw, "PBKDF2", false, ["deriveBits"]);
    const derived = await crypto.subtle.deriveBits(
      { name: "PBKDF2", hash: "SHA-256", salt: iv, iterations: 1_000 },
      password,
      128,
    );
    const pair = (await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    const proof = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, data);
    return Response.json({
      digest: hex(await crypto.subtle.digest("SHA-256", data)).slice(0, 40),
      md5: hex(await crypto.subtle.digest("MD5", data)),
      signature: hex(signature).slice(0, 40),
      good: await crypto.subtle.verify("HMAC", hmac, signature, data),
      bad: await crypto.subtle.verify("HMAC", hmac, signature, iv),
      sealed: hex(sealed).slice(0, 40),
      opened: new TextDecoder().decode(opened),
      derived: hex(derived),
      proof: await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, pair.publicKey, proof, data),
      equal: crypto.subtle.timingSafeEqual(iv, new Uint8Array(12).fill(7)),
      uuid: /^[0-9a-f-]{36}$/.test(crypto.randomUUID()),
      random: crypto.getRandomValues(new Uint8Array(16)).some((byte) => byte !== 0),
    });
  }
}
