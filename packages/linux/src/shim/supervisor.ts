import type { Socket } from "node:net";
import { constants } from "node:os";
import { Failure } from "@aurae/domain/errors";
import { MalformedBytes } from "./bytes.ts";
import { Channel, ChannelClosed, LaunchRefused, Refused } from "./channel.ts";
import { toFailure } from "./failures.ts";
import { type Frame, type FrameType, maxPayloadBytes, frameTypes as types } from "./frames.ts";
import { openSocket } from "./launcher.ts";
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
  readState,
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
  /** It does not answer any more, not to a second connection either. Told at most once. */
  lost(): void;
}

/** How to speak with the supervisor of a cell: who we both are, and where it listens. */
export interface SupervisorAddress {
  readonly cellName: string;
  readonly hello: Hello;
  readonly socketPath: string;
  readonly watcher: SupervisorWatcher;
}

/**
 * The supervisor of one cell, over one connection at a time.
 *
 *     connected ──connection ends──▶ reconnecting ──it answers──▶ connected
 *         │                               └──nobody answers──▶ lost
 *         └──end() answered, or close()──▶ closed
 */
export class Supervisor {
  readonly #address: SupervisorAddress;
  #channel: Channel;
  #reconnecting: Promise<boolean> | undefined;
  #state: "connected" | "lost" | "closed" = "connected";

  private constructor(address: SupervisorAddress, socket: Socket) {
    this.#address = address;
    this.#channel = this.#open(socket);
  }

  /**
   * Have a new supervisor make its cell. When it fails, the supervisor has undone what it did and is
   * gone; what it was given (directories) is the caller's to remove.
   *
   * @throws Failure
   */
  static async enclose(
    socket: Socket,
    address: SupervisorAddress,
    enclose: Enclose,
  ): Promise<{ readonly supervisor: Supervisor; readonly init: ProcessIdentity }> {
    const supervisor = new Supervisor(address, socket);
    const what = `Cannot allocate cell "${address.cellName}"`;
    try {
      const payload = enclosePayload(enclose);
      // Both at once: the supervisor reads what we ask right after our hello.
      const [, init] = await Promise.all([
        supervisor.#channel.hello,
        supervisor.#channel.request(types.enclose, payload, types.enclosed, readEnclosed),
      ]);
      return { supervisor, init };
    } catch (cause) {
      supervisor.#state = "closed";
      await supervisor.#channel.finish();
      throw toEncloseFailure(what, cause);
    }
  }

  /** Find the supervisor of a cell that was made before. @throws when nobody answers there */
  static async find(
    address: SupervisorAddress,
  ): Promise<{ readonly supervisor: Supervisor; readonly state: SupervisorState }> {
    const socket = await openSocket(address.socketPath);
    const supervisor = new Supervisor(address, socket);
    try {
      await supervisor.#channel.hello;
      return { supervisor, state: await askState(supervisor.#channel) };
    } catch (cause) {
      supervisor.close();
      throw cause;
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
    return this.#channel.request(types.start, payload, types.started, readStarted);
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
    await this.#channel.finish();
  }

  /** Hang up. The supervisor goes on, unless it has ended. */
  close(): void {
    if (this.#state === "connected") this.#state = "closed";
    this.#channel.close();
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
    for (;;) {
      await this.#reconnecting;
      try {
        return await this.#channel.request(type, payload, answer, read);
      } catch (cause) {
        if (!(cause instanceof ChannelClosed) || !(await this.#reconnecting)) throw cause;
      }
    }
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
    this.#reconnecting = this.#reconnect().finally(() => {
      this.#reconnecting = undefined;
    });
  }

  /** Whether it answers again. */
  async #reconnect(): Promise<boolean> {
    try {
      const socket = await openSocket(this.#address.socketPath);
      const channel = this.#open(socket);
      const [, state] = await Promise.all([channel.hello, askState(channel)]);
      if (this.#state !== "connected") {
        channel.close();
        return false;
      }
      this.#channel = channel;
      this.#address.watcher.reconnected(state);
      return true;
    } catch {
      if (this.#state !== "connected") return false;
      this.#state = "lost";
      this.#address.watcher.lost();
      return false;
    }
  }
}

function askState(channel: Channel): Promise<SupervisorState> {
  return channel.request(types.state, Buffer.alloc(0), types.stateIs, readState);
}

function toEncloseFailure(what: string, cause: unknown): Failure {
  if (cause instanceof Refused) return toFailure(what, cause.failed);
  if (cause instanceof LaunchRefused)
    return toFailure(what, { step: "launch", errno: cause.errno });
  if (cause instanceof Failure) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Failure("wrong-state", "SHIM_UNUSABLE", `${what}: the supervisor left: ${why}`, {
    cause,
  });
}
