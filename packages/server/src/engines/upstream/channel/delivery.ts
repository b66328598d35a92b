import type { UpstreamFailure, UpstreamListener } from "../types.ts";
import type { Read } from "./messages.ts";

/** Brings one exchange's messages to who waits for them: in order, at their pace, bounded. */
export interface Delivery {
  /** A message that is not the last one. False when it was dropped: too much waits already, or the exchange is over. */
  interim(message: Read): boolean;
  /** The last message. `status` is what the head says, if nothing was sent before. */
  answer(message: Read, status: number): void;
  /** No message comes any more. */
  end(): void;
  /** There is no answer; what was there before goes out first. */
  fail(failure: UpstreamFailure): void;
  /** The same at once: nobody wants what waits. */
  abandon(failure: UpstreamFailure): void;
  /** Whether its end is in sight: nothing more is taken. */
  readonly over: boolean;
}

export interface DeliveryLimits {
  readonly maxWaitingMessages: number;
  readonly maxWaitingChars: number;
}

type Step =
  | ({ readonly kind: "message" } & Read)
  | { readonly kind: "end" }
  | { readonly kind: "failure"; readonly failure: UpstreamFailure };

const readerGone: UpstreamFailure = {
  kind: "broken",
  status: null,
  ran: "maybe",
  message: "Who asked could not take the answer.",
};

export function createDelivery(
  listener: UpstreamListener,
  sessionId: string | null,
  limits: DeliveryLimits,
): Delivery {
  let waiting: Step[] = [];
  let waitingChars = 0;
  let headSent = false;
  let slow = false;
  let running = false;
  let over = false;
  let finished = false;

  const head = (status: number, streaming: boolean) => {
    if (headSent) return;
    headSent = true;
    listener.onHead({ status, sessionId, streaming });
  };
  const finish = (step: Exclude<Step, { kind: "message" }>) => {
    if (finished) return;
    finished = true;
    if (step.kind === "end") listener.onEnd();
    else listener.onFailure(step.failure);
  };
  const run = () => {
    // A listener may cause the next message while it hears of this one.
    if (running) return;
    running = true;
    while (!slow && !finished) {
      const step = waiting.shift();
      if (step === undefined) break;
      if (step.kind !== "message") {
        finish(step);
        break;
      }
      waitingChars -= step.text.length;
      const taken = listener.onMessage({ text: step.text, parsed: step.parsed, eventId: null });
      if (taken === undefined) continue;
      slow = true;
      taken.then(goOn, giveUp);
    }
    running = false;
  };
  const goOn = () => {
    slow = false;
    run();
  };
  const giveUp = () => {
    over = true;
    waiting = [];
    finish({ kind: "failure", failure: readerGone });
  };
  const put = (...steps: Step[]) => {
    for (const step of steps) {
      waiting.push(step);
      if (step.kind === "message") waitingChars += step.text.length;
    }
    run();
  };

  return {
    get over() {
      return over;
    },
    interim({ text, parsed }) {
      if (over) return false;
      const full =
        waiting.length >= limits.maxWaitingMessages || waitingChars + text.length > limits.maxWaitingChars;
      if (full && waiting.length > 0) return false;
      head(200, true);
      put({ kind: "message", text, parsed });
      return true;
    },
    answer({ text, parsed }, status) {
      if (over) return;
      over = true;
      head(status, false);
      put({ kind: "message", text, parsed }, { kind: "end" });
    },
    end() {
      if (over) return;
      over = true;
      head(200, true);
      put({ kind: "end" });
    },
    fail(failure) {
      if (over) return;
      over = true;
      put({ kind: "failure", failure });
    },
    abandon(failure) {
      if (finished) return;
      over = true;
      waiting = [];
      finish({ kind: "failure", failure });
    },
  };
}

/** Answers without asking anybody. */
export function answerAtOnce(listener: UpstreamListener, status: number, text: string | null): void {
  listener.onHead({ status, sessionId: null, streaming: false });
  const taken = text === null ? undefined : listener.onMessage({ text, eventId: null });
  if (taken === undefined) listener.onEnd();
  else
    taken.then(
      () => listener.onEnd(),
      () => listener.onEnd(),
    );
}

/** A listener that hears the same; `end` is called first when the exchange is over. */
export const untilOver = (listener: UpstreamListener, end: () => void): UpstreamListener => ({
  onHead: (head) => listener.onHead(head),
  onMessage: (message) => listener.onMessage(message),
  onEnd() {
    end();
    listener.onEnd();
  },
  onFailure(failure) {
    end();
    listener.onFailure(failure);
  },
});
