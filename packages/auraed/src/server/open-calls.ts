import { Gate } from "@aurae/domain/observe";
import { type CallStatus, stopping } from "../services/status.ts";

/** One call whose handler has not ended. */
export class OpenCall implements Disposable {
  readonly #controller = new AbortController();
  readonly #onEnd: () => void;
  #abortedWith: CallStatus | undefined;
  #hasEnded = false;

  constructor(onEnd: (call: OpenCall) => void) {
    this.#onEnd = () => onEnd(this);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why the signal has aborted; undefined while it has not. */
  get abortedWith(): CallStatus | undefined {
    return this.#abortedWith;
  }

  /** Does nothing to a call that has ended: grpc-js tells of a "cancelled" one after every call. */
  abort(why: CallStatus): void {
    if (this.#hasEnded || this.#abortedWith !== undefined) return;
    this.#abortedWith = why;
    this.#controller.abort(new Error(why.message));
  }

  [Symbol.dispose](): void {
    this.#hasEnded = true;
    this.#onEnd();
  }
}

/** The calls that run, and the end of taking more. */
export class OpenCalls {
  readonly #open = new Set<OpenCall>();
  readonly #idle = new Gate();
  #isStopping = false;

  get isStopping(): boolean {
    return this.#isStopping;
  }

  begin(): OpenCall {
    const call = new OpenCall((ended) => this.#end(ended));
    this.#open.add(call);
    return call;
  }

  /**
   * Refuse what comes, and tell what runs. Who waits or streams ends now; a mutation that has begun
   * goes on, for it heeds its signal only before.
   */
  stop(): void {
    this.#isStopping = true;
    for (const call of this.#open) call.abort(stopping);
    if (this.#open.size === 0) this.#idle.open();
  }

  /** Resolves when nothing runs after stop(). @throws Failure `cancelled` when the signal aborts first */
  async idle(signal: AbortSignal): Promise<void> {
    await this.#idle.wait(signal);
  }

  #end(call: OpenCall): void {
    this.#open.delete(call);
    if (this.#isStopping && this.#open.size === 0) this.#idle.open();
  }
}
