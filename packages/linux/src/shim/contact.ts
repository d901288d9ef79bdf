import type { Socket } from "node:net";
import { errnoOf } from "../errno.ts";
import { type Channel, HungUp } from "./channel.ts";
import { frameTypes } from "./frames.ts";
import { openSocket } from "./launcher.ts";
import { readState, type SupervisorState } from "./messages.ts";

/** So many connections that the other side ends at once are made, before that is its answer. */
const maxTries = 3;

/**
 * Connect to where a supervisor listens, and ask it what runs. Who accepts a connection and ends it may
 * be about to die: the next one tells.
 *
 * @param take told before any event that came behind the answer
 * @throws what connect(2) says, or ChannelClosed
 */
export async function askState(
  socketPath: string,
  timeoutMs: number,
  open: (socket: Socket) => Channel,
  take: (channel: Channel, state: SupervisorState) => void,
): Promise<SupervisorState> {
  for (let triesLeft = maxTries; ; triesLeft--) {
    try {
      const channel = open(await openSocket(socketPath));
      return await ask(channel, timeoutMs, take);
    } catch (cause) {
      if (!isHangUp(cause) || triesLeft === 1) throw cause;
    }
  }
}

/** ECONNRESET is what the kernel makes of a connection that waited to be accepted by who has died. */
function isHangUp(cause: unknown): boolean {
  return cause instanceof HungUp || errnoOf(cause) === "ECONNRESET";
}

/** Resolves when a supervisor that was just made has said who it is. A program that says nothing is none. */
export async function greet(channel: Channel, timeoutMs: number): Promise<void> {
  using _deadline = setDeadline(channel, timeoutMs);
  await channel.hello;
}

async function ask(
  channel: Channel,
  timeoutMs: number,
  take: (channel: Channel, state: SupervisorState) => void,
): Promise<SupervisorState> {
  using _deadline = setDeadline(channel, timeoutMs);
  try {
    const nothing = Buffer.alloc(0);
    const [, state] = await Promise.all([
      channel.hello,
      channel.request(frameTypes.state, nothing, frameTypes.stateIs, (payload) => {
        const read = readState(payload);
        take(channel, read);
        return read;
      }),
    ]);
    return state;
  } catch (cause) {
    channel.close();
    throw cause;
  }
}

/** What came while we were busy ourselves is read before it is too late. */
function setDeadline(channel: Channel, timeoutMs: number): Disposable {
  let reading: NodeJS.Immediate | undefined;
  const timer = setTimeout(() => {
    reading = setImmediate(() => channel.close(`it has said nothing for ${timeoutMs} ms`));
  }, timeoutMs);
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      clearImmediate(reading);
    },
  };
}
