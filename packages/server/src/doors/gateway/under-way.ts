import type { Admission, GatewayService } from "../../features/gateway/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { AmbitError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import { createTicker } from "../../kernel/ticker.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Something that goes on for a grant: an exchange, a stream. */
export interface UnderWay {
  readonly admission: Admission;
  /** The grant no longer holds (GATEWAY_GRANT_ENDED), or nobody can say (GATEWAY_GRANT_UNSURE): it ends at once. */
  revoke(why: AmbitError): void;
  /** Called every half second. */
  tick(nowMs: number): void;
  /** The door closes: a stream ends, an answer may still come. */
  windUp(): void;
  /** It is cut off. */
  cut(): void;
  /** The client takes a request back; nothing where this is another. Clients tell their requests apart in a session only. */
  takeBack(sessionId: string, id: unknown): void;
}

const unsure = () => gatewayDoorErrors.GATEWAY_GRANT_UNSURE({ headers: { "Retry-After": "1" } });

/** Keeps an eye on all that is under way: whether its grant still holds, and whether it gives a sign of life. */
export class Watch {
  readonly #gateway: GatewayService;
  readonly #clock: Clock;
  /** Since when the question whether its grant holds is open; null when it is not. */
  readonly #all = new Map<UnderWay, number | null>();
  readonly #ticker;
  #emptied: (() => void) | null = null;

  constructor(gateway: GatewayService, clock: Clock, log: Log) {
    this.#gateway = gateway;
    this.#clock = clock;
    this.#ticker = createTicker({
      name: "gateway-watch",
      everyMs: limits.recheckMs,
      log,
      run: async () => this.#look(),
    });
    this.#ticker.start();
  }

  add(one: UnderWay): void {
    this.#all.set(one, null);
  }

  remove(one: UnderWay): void {
    this.#all.delete(one);
    if (this.#all.size === 0) this.#emptied?.();
  }

  /** A client has taken a request back: many servers leave its stream open then, for nothing. */
  takeBack({ grant }: Admission, sessionId: string, id: unknown): void {
    for (const one of [...this.#all.keys()]) {
      if (one.admission.grant.id === grant.id) one.takeBack(sessionId, id);
    }
  }

  /** Ends streams at once, and everything in a moment. */
  async close(): Promise<void> {
    await this.#ticker.stop();
    for (const one of [...this.#all.keys()]) one.windUp();
    if (this.#all.size === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#emptied = resolve;
      timer = setTimeout(resolve, limits.closeMs);
    });
    clearTimeout(timer);
    for (const one of [...this.#all.keys()]) one.cut();
  }

  #look(): void {
    const nowMs = this.#clock();
    for (const [one, askedAtMs] of this.#all) {
      if (askedAtMs === null) this.#ask(one, nowMs);
      else if (nowMs - askedAtMs > limits.recheckAnswerMs) one.revoke(unsure());
      one.tick(nowMs);
    }
  }

  /** Where it can't be known, it does not hold. */
  #ask(one: UnderWay, nowMs: number): void {
    this.#all.set(one, nowMs);
    this.#gateway.stillHolds(one.admission).then(
      (holds) => {
        if (!this.#all.has(one)) return;
        this.#all.set(one, null);
        if (!holds) one.revoke(gatewayDoorErrors.GATEWAY_GRANT_ENDED());
      },
      () => one.revoke(unsure()),
    );
  }
}
