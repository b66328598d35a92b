import { errors } from "./errors.ts";

/** Postgres counts microseconds from 2000-01-01 00:00:00 UTC. */
export const postgresEpochMs = 946_684_800_000;

/**
 * A cursor over one message in network byte order. Every read moves `at`; reading past the end throws
 * REPLICATION_PROTOCOL_ERROR. Texts and byte strings are copies: the socket's buffer is used again.
 */
export class WireReader {
  at: number;
  readonly #buffer: Buffer;

  constructor(buffer: Buffer, at: number) {
    this.#buffer = buffer;
    this.at = at;
  }

  byte(): number {
    return this.#buffer[this.#take(1)]!;
  }

  int16(): number {
    return this.#buffer.readInt16BE(this.#take(2));
  }

  int32(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  uint32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  lsn(): bigint {
    return this.#buffer.readBigUInt64BE(this.#take(8));
  }

  /** A timestamp, rounded down to the millisecond a Date holds; exact within 285 years of the year 2000. */
  time(): Date {
    const at = this.#take(8);
    const micros = this.#buffer.readInt32BE(at) * 0x1_0000_0000 + this.#buffer.readUInt32BE(at + 4);
    return new Date(postgresEpochMs + Math.floor(micros / 1000));
  }

  text(length: number): string {
    const at = this.#take(length);
    return this.#buffer.toString("utf8", at, at + length);
  }

  bytes(length: number): Buffer {
    const at = this.#take(length);
    return Buffer.from(this.#buffer.subarray(at, at + length));
  }

  /** A text that ends with a zero byte. */
  cstring(): string {
    const end = this.#buffer.indexOf(0, this.at);
    if (end < 0) throw pastEnd();
    const text = this.#buffer.toString("utf8", this.at, end);
    this.at = end + 1;
    return text;
  }

  /** A schema name; the protocol writes `pg_catalog` as the empty string. */
  schema(): string {
    return this.cstring() || "pg_catalog";
  }

  /** A count of things that each take at least `bytesEach`: refuses one that cannot fit in what is left. */
  count(value: number, bytesEach: number): number {
    if (value < 0 || value * bytesEach > this.#buffer.length - this.at) throw pastEnd();
    return value;
  }

  #take(length: number): number {
    const at = this.at;
    const end = at + length;
    if (length < 0 || end > this.#buffer.length) throw pastEnd();
    this.at = end;
    return at;
  }
}

function pastEnd() {
  return errors.REPLICATION_PROTOCOL_ERROR({ details: { unexpected: "end of the message" } });
}
