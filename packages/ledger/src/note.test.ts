import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { checkpointText, openCheckpoint, signCheckpoint } from "./checkpoint.ts";
import type { LedgerErrorCode } from "./errors.ts";
import { keyPairFromSeed, parseVerifierKey, verifierKey } from "./keys.ts";
import { openNote, signNote } from "./note.ts";
import { bytesOf, KEY, NAME, OTHER_KEY, VKEY } from "./testing/log.ts";

const code = (wanted: LedgerErrorCode) => expect.objectContaining({ name: "LedgerError", code: wanted });
const checkpoint = { origin: NAME, size: 20_852_163, root: bytesOf("root") };
const note = signCheckpoint(checkpoint, NAME, KEY.privateKey);

describe("keys", () => {
  it("come from a seed as RFC 8032 says", () => {
    const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
    expect(keyPairFromSeed(seed).publicKey.toString("hex")).toBe(
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    );
    expect(() => keyPairFromSeed(seed.subarray(1))).toThrow(code("key_malformed"));
  });

  it("are told with a name and an id, and read back", () => {
    const id = createHash("sha256")
      .update(`${NAME}\n`)
      .update(Buffer.from([1]))
      .update(KEY.publicKey)
      .digest("hex")
      .slice(0, 8);
    expect(VKEY.startsWith(`${NAME}+${id}+A`)).toBe(true);
    expect(parseVerifierKey(VKEY)).toMatchObject({
      name: NAME,
      keyId: Buffer.from(id, "hex"),
      publicKey: KEY.publicKey,
    });
    for (let seed = 0; seed < 64; seed++) {
      const { publicKey } = keyPairFromSeed(bytesOf(`key ${seed}`));
      expect(parseVerifierKey(verifierKey("a", publicKey)).publicKey.equals(publicKey)).toBe(true);
    }
  });

  it("are refused when they are none, or were altered", () => {
    const [name, id, key] = VKEY.split("+");
    const wrong = [
      "",
      "x",
      `${name}+${id}`,
      `${name}+00000000+${key}`,
      `other+${id}+${key}`,
      `${VKEY}=`,
      ` ${VKEY}`,
    ];
    for (const text of wrong) expect(() => parseVerifierKey(text)).toThrow(code("key_malformed"));
    for (const bad of ["", "a b", "a+b", "a\u00a0b", "a\u0000"])
      expect(() => verifierKey(bad, KEY.publicKey)).toThrow(code("key_malformed"));
  });
});

describe("signed notes", () => {
  it("are those of Go's note package", () => {
    const vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const text =
      "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
    const signed = `${text}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
    expect(openNote(signed, parseVerifierKey(vkey))).toBe(text);
  });

  it("are what Node's own Ed25519 makes", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
    const text = "a text\n\nwith an empty line, and ü\n";
    const id = createHash("sha256")
      .update(Buffer.concat([Buffer.from("k\n\u0001"), raw]))
      .digest()
      .subarray(0, 4);
    const line = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]).toString("base64");
    expect(signNote(text, "k", privateKey)).toBe(`${text}\n— k ${line}\n`);
    expect(openNote(`${text}\n— k ${line}\n`, parseVerifierKey(verifierKey("k", raw)))).toBe(text);
  });

  it("are not signed where they could not be read", () => {
    for (const text of ["no newline", "a\ttab\n", "carriage\r\n", "\ud800\n"])
      expect(() => signNote(text, NAME, KEY.privateKey)).toThrow(code("checkpoint_malformed"));
    expect(() => signNote("x\n", "two words", KEY.privateKey)).toThrow(code("key_malformed"));
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(() => signNote("x\n", NAME, privateKey)).toThrow(code("key_malformed"));
  });
});

describe("checkpoints", () => {
  it("are three lines, signed, and read back", () => {
    expect(checkpointText(checkpoint)).toBe(`${NAME}\n20852163\n${checkpoint.root.toString("base64")}\n`);
    expect(note.startsWith(`${checkpointText(checkpoint)}\n— ${NAME} `)).toBe(true);
    expect(openCheckpoint(note, VKEY)).toEqual(checkpoint);
  });

  it("may have extension lines and signatures of others, before and after", () => {
    const text = `${checkpointText(checkpoint)}extension 1\nextension 2\n`;
    const mine = signNote(text, NAME, KEY.privateKey);
    const witness = signNote(text, "witness.example", OTHER_KEY.privateKey).split("\n\n")[1]!;
    const sameName = signNote(text, NAME, OTHER_KEY.privateKey).split("\n\n")[1]!;
    const unknownKind = `— ${NAME} ${Buffer.alloc(2_500, 9).toString("base64")}\n`;
    const [body, line] = mine.split("\n\n");
    for (const signed of [mine + witness, `${body}\n\n${witness}${sameName}${unknownKind}${line}`])
      expect(openCheckpoint(signed, VKEY)).toEqual(checkpoint);
  });

  it("are refused without a good signature of this key", () => {
    const other = verifierKey(NAME, OTHER_KEY.publicKey);
    expect(() => openCheckpoint(note, other)).toThrow(code("unknown_key"));
    expect(() => openCheckpoint(note, verifierKey("other.example", KEY.publicKey))).toThrow(
      code("unknown_key"),
    );
    expect(() => openCheckpoint(note.replace("20852163", "20852164"), VKEY)).toThrow(code("bad_signature"));
    expect(() => openCheckpoint(note.replace(NAME, "ambit.example/other"), VKEY)).toThrow(
      code("bad_signature"),
    );
    const [text, line] = note.split("\n\n");
    const bytes = Buffer.from(line!.split(" ")[2]!, "base64");
    for (let at = 4; at < bytes.length; at++) {
      const altered = Buffer.from(bytes);
      altered[at]! ^= 1;
      const forged = `${text}\n\n— ${NAME} ${altered.toString("base64")}\n`;
      expect(() => openCheckpoint(forged, VKEY)).toThrow(code("bad_signature"));
      // A forged line is not forgiven for a good one after it.
      expect(() => openCheckpoint(`${forged}${line}`, VKEY)).toThrow(code("bad_signature"));
    }
  });

  it("are refused when they are none", () => {
    const signed = (text: string) => signNote(text, NAME, KEY.privateKey);
    const root = checkpoint.root.toString("base64");
    const texts = [
      `${NAME}\n1\n`,
      `\n1\n${root}\n`,
      `${NAME}\n01\n${root}\n`,
      `${NAME}\n-1\n${root}\n`,
      `${NAME}\n99999999999999999999\n${root}\n`,
      `${NAME}\n1\n${root.slice(4)}\n`,
      `${NAME}\n1\n${root}=\n`,
      `${NAME}\n1\n${root}\nmore\n\nmore\n`,
    ];
    for (const text of texts)
      expect(() => openCheckpoint(signed(text), VKEY)).toThrow(code("checkpoint_malformed"));
    const [text, line] = note.split("\n\n");
    const notes = [
      "",
      "\n\n",
      text!,
      `${text}\n\n`,
      note.slice(0, -1),
      `${text}\n\n${line}\n`,
      note.replace("—", "-"),
      note.replace("— ", "—  "),
      `${note}${"— a AAAAAAAA\n".repeat(100)}`,
      `${note}— a AAAA\n`,
      `${note}— a AAAAAAB=\n`,
      note.replaceAll("\n", "\r\n"),
      `${"x".repeat(100_000)}\n${note}`,
    ];
    for (const wrong of notes)
      expect(() => openCheckpoint(wrong, VKEY)).toThrow(code("checkpoint_malformed"));
  });

  it("are not made of nonsense", () => {
    for (const wrong of [
      { origin: "" },
      { origin: "a\nb" },
      { size: -1 },
      { size: 0.5 },
      { root: Buffer.alloc(31) },
    ])
      expect(() => signCheckpoint({ ...checkpoint, ...wrong }, NAME, KEY.privateKey)).toThrow(
        code("checkpoint_malformed"),
      );
  });
});
