import type { Socket } from "node:net";
import { constants } from "node:os";
import { Failure } from "@aurae/domain/errors";
import { failpoint } from "@aurae/domain/failpoints";
import { inWords } from "../errno.ts";
import { MalformedBytes } from "./bytes.ts";
import { Channel, ChannelClosed, HungUp, LaunchRefused, Refused } from "./channel.ts";
import { askState, greet } from "./contact.ts";
import { toFailure } from "./failures.ts";
import { type Frame, type FrameType, maxPayloadBytes, frameTypes as types } from "./frames.ts";
import { isNobody } from "./launcher.ts";
import {
  type Enclose,
  enclosePayload,
  endPayload,
  type Hello,
  type ProcessIdentity,
  type RunNews,
  readEmpty,
  readEnclosed,
  readInitDied,
  readRunEvent,
  readStarted,
  readStopped,
  type Start,
  type SupervisorState,
  startPayload,
  stopPayload,
} from "./messages.ts";

export interface SupervisorWatcher {
  runChanged(news: RunNews): void;
  /** The connection was lost and made again; meanwhile runs may have been closed. */
  reconnected(state: SupervisorState): void;
  initDied(how: number, status: number): void;
  /** It is gone: nobody listens where it did. Told at most once. */
  lost(): void;
  /** Something is there, and nobody knows what it does: what runs is left alone. Told at most once. */
  silent(why: string): void;
}

/** How to speak with the supervisor of a cell: who we both are, and where it listens. */
export interface SupervisorAddress {
  readonly cellName: string;
  readonly hello: Hello;
  readonly socketPath: string;
  readonly watcher: SupervisorWatcher;
  /** Told of the connections that it has refused, whenever it has said what runs. */
  readonly refused: (count: number) => void;
  /** How long it may take to say what runs. */
  readonly answerTimeoutMs: number;
}

/** What came of looking for a supervisor. One that is silent can be asked again, to stop and to end. */
export type Found =
  | { readonly kind: "answers"; readonly supervisor: Supervisor; readonly state: SupervisorState }
  | { readonly kind: "silent"; readonly supervisor: Supervisor; readonly why: string }
  | { readonly kind: "gone" };

/** One that is to be made may take so many times longer to say its first word. */
const launchFactor = 5;

/** So often something is asked when the connection ends under it, before that is the answer. */
const maxTries = 3;

/**
 * The supervisor of one cell, over one connection at a time.
 *
 *     connected ──connection ends──▶ reconnecting ──it answers──▶ connected
 *         │                               ├──nobody listens──▶ lost        (ENOENT, ECONNREFUSED)
 *         │                               └──anything else──▶ silent ──it is asked again──▶ reconnecting
 *         └──end() answered, or close()──▶ closed
 */
export class Supervisor {
  readonly #address: SupervisorAddress;
  #channel: Channel | undefined;
  #reconnecting: Promise<boolean> | undefined;
  #state: "connected" | "silent" | "lost" | "closed";

  private constructor(address: SupervisorAddress, state: "connected" | "silent") {
    this.#address = address;
    this.#state = state;
  }

  /**
   * Have a new supervisor make its cell. When it fails, the supervisor has undone what it did and is
   * gone; what it was given (directories) is the caller's to remove.
   *
   * @throws Failure `unavailable` when it died in the middle of it; `wrong-state` when nothing of ours
   *   answered, so that asking again would be of no use
   */
  static async enclose(
    socket: Socket,
    address: SupervisorAddress,
    enclose: Enclose,
  ): Promise<{ readonly supervisor: Supervisor; readonly init: ProcessIdentity }> {
    const supervisor = new Supervisor(address, "connected");
    const channel = supervisor.#open(socket);
    supervisor.#channel = channel;
    const what = `Cannot allocate cell "${address.cellName}"`;
    let isOurs = false;
    try {
      const payload = enclosePayload(enclose);
      const hello = greet(channel, launchFactor * address.answerTimeoutMs).then(() => {
        isOurs = true;
        failpoint("allocate.5.identity");
      });
      // Both at once: the supervisor reads what we ask right after our hello.
      const [, init] = await Promise.all([
        hello,
        channel.request(types.enclose, payload, types.enclosed, readEnclosed),
      ]);
      return { supervisor, init };
    } catch (cause) {
      supervisor.#state = "closed";
      await channel.finish();
      throw toEncloseFailure(what, cause, isOurs);
    }
  }

  /**
   * Find the supervisor of a cell that was made before. What goes wrong on the way to it does not mean
   * that it is gone: that does only a socket where nobody listens.
   *
   * @param serve told what runs before any news of it can come
   */
  static async find(
    address: SupervisorAddress,
    serve: (supervisor: Supervisor, state: SupervisorState) => void,
  ): Promise<Found> {
    const supervisor = new Supervisor(address, "silent");
    try {
      const state = await supervisor.#connect((known) => serve(supervisor, known));
      return { kind: "answers", supervisor, state };
    } catch (cause) {
      if (isNobody(cause)) return { kind: "gone" };
      return { kind: "silent", supervisor, why: inWords(cause) };
    }
  }

  get isLost(): boolean {
    return this.#state === "lost";
  }

  /**
   * Start a run.
   *
   * @throws Refused, or ChannelClosed when nobody knows whether it runs: its record does
   */
  async start(start: Start): Promise<{ readonly pid: number; readonly startedAtNs: bigint }> {
    await this.#reconnecting;
    const payload = startPayload(start);
    // More than a frame holds is more than exec takes from us.
    if (payload.length > maxPayloadBytes) {
      throw new Refused({ step: "exec", errno: constants.errno.E2BIG });
    }
    const answer = this.#openChannel.request(types.start, payload, types.started, readStarted);
    failpoint("start.3.sent");
    return answer;
  }

  /** @throws Refused, or ChannelClosed when the supervisor is lost */
  async stop(run: number, signal: number, graceMs: number): Promise<void> {
    const payload = stopPayload(run, signal, graceMs);
    await this.#persist(types.stop, payload, types.stopped, readStopped);
  }

  /** End all that runs, and the supervisor. @throws Refused, or ChannelClosed when it is lost */
  async end(graceMs: number): Promise<void> {
    await this.#persist(types.end, endPayload(graceMs), types.ended, (payload) => {
      readEmpty(payload);
      // It leaves now; that is no loss.
      this.#state = "closed";
    });
  }

  /** Resolves when it has left, after `end`. */
  async left(): Promise<void> {
    await this.#channel?.finish();
  }

  /** Hang up. The supervisor goes on, unless it has ended. */
  close(): void {
    if (this.#state !== "lost") this.#state = "closed";
    this.#channel?.close();
  }

  /** Resolves when the other side is where it was, or is known to be gone. */
  async settle(): Promise<void> {
    await this.#reconnecting;
  }

  /** Ask, and ask again over a new connection when the old one ended: for what may be asked twice. */
  async #persist<Answer>(
    type: FrameType,
    payload: Buffer,
    answer: FrameType,
    read: (payload: Buffer) => Answer,
  ): Promise<Answer> {
    if (this.#state === "silent") this.#reconnectOnce();
    for (let triesLeft = maxTries; ; triesLeft--) {
      await this.#reconnecting;
      try {
        return await this.#openChannel.request(type, payload, answer, read);
      } catch (cause) {
        const isOver = !(cause instanceof ChannelClosed) || triesLeft === 1;
        if (isOver || !(await this.#reconnecting)) throw cause;
      }
    }
  }

  get #openChannel(): Channel {
    if (this.#channel === undefined) throw new ChannelClosed("it never answered");
    return this.#channel;
  }

  #open(socket: Socket): Channel {
    const channel = new Channel(socket, this.#address.hello, {
      event: (frame) => this.#event(frame),
      closed: () => this.#channelClosed(channel),
    });
    return channel;
  }

  #event(frame: Frame): void {
    const { watcher } = this.#address;
    if (frame.type === types.run) return watcher.runChanged(readRunEvent(frame.payload));
    if (frame.type !== types.initDied) throw new MalformedBytes(`frame ${frame.type} is no event`);
    const { how, status } = readInitDied(frame.payload);
    watcher.initDied(how, status);
  }

  #channelClosed(channel: Channel): void {
    if (this.#state !== "connected" || channel !== this.#channel) return;
    this.#reconnectOnce();
  }

  #reconnectOnce(): void {
    this.#reconnecting ??= this.#reconnect().finally(() => {
      this.#reconnecting = undefined;
    });
  }

  /** Whether it answers again. */
  async #reconnect(): Promise<boolean> {
    try {
      await this.#connect((state) => this.#address.watcher.reconnected(state));
      return true;
    } catch (cause) {
      this.#unreachable(cause);
      return false;
    }
  }

  #unreachable(cause: unknown): void {
    const { watcher } = this.#address;
    if (this.#state === "closed" || this.#state === "lost") return;
    const before = this.#state;
    this.#state = isNobody(cause) ? "lost" : "silent";
    if (this.#state === "lost") watcher.lost();
    else if (before !== "silent") watcher.silent(inWords(cause));
  }

  #connect(take: (state: SupervisorState) => void): Promise<SupervisorState> {
    const { socketPath, answerTimeoutMs, refused } = this.#address;
    const open = (socket: Socket) => this.#open(socket);
    return askState(socketPath, answerTimeoutMs, open, (channel, state) => {
      this.#serveOver(channel);
      take(state);
      refused(state.refused);
    });
  }

  #serveOver(channel: Channel): void {
    if (this.#state === "closed") throw new ChannelClosed("it was closed here");
    this.#channel = channel;
    this.#state = "connected";
  }
}

function toEncloseFailure(what: string, cause: unknown, isOurs: boolean): Failure {
  if (cause instanceof Refused) return toFailure(what, cause.failed);
  if (cause instanceof LaunchRefused)
    return toFailure(what, { step: "launch", errno: cause.errno });
  if (cause instanceof Failure) return cause;
  if (cause instanceof HungUp && isOurs)
    return new Failure("unavailable", "CELL_FAILED", `${what}: supervisor lost`, { cause });
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Failure("wrong-state", "SHIM_UNUSABLE", `${what}: the supervisor left: ${why}`, {
    cause,
  });
}
