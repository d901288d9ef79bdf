import { MalformedBytes } from "./bytes.ts";

/** The types of frames; docs/design/shim.md describes each. */
export const frameTypes = {
  hello: 1,
  enclose: 2,
  enclosed: 3,
  failed: 4,
  start: 5,
  started: 6,
  stop: 7,
  stopped: 8,
  signal: 9,
  done: 10,
  state: 11,
  stateIs: 12,
  end: 13,
  ended: 14,
  run: 15,
  initDied: 16,
} as const;

export type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

export interface Frame {
  readonly type: FrameType;
  /** The number of the request that this is, or answers; 0 for events and hellos. */
  readonly request: number;
  readonly payload: Buffer;
}

export const maxPayloadBytes: number = 1024 * 1024;

const headerBytes = 10;
const known: ReadonlySet<number> = new Set(Object.values(frameTypes));

export function encodeFrame({ type, request, payload }: Frame): Buffer {
  if (payload.length > maxPayloadBytes) {
    throw new RangeError(`a frame of ${payload.length} bytes is more than ${maxPayloadBytes}`);
  }
  const frame = Buffer.allocUnsafe(headerBytes + payload.length);
  frame.writeUInt32LE(payload.length, 0);
  frame.writeUInt16LE(type, 4);
  frame.writeUInt32LE(request, 6);
  payload.copy(frame, headerBytes);
  return frame;
}

/**
 * Cuts what a socket delivers into frames, however it was cut before. It keeps at most one frame that
 * is not whole; a length that is too much is refused before anything is kept for it (fault 48).
 */
export class FrameReader {
  /** What is kept, with room behind it: a frame that trickles in is not copied for each drop. */
  #room: Buffer = Buffer.alloc(0);
  #kept = 0;

  /**
   * The frames that are whole now.
   * @throws MalformedBytes when a frame is too long or of no known type; the rest is then unreadable
   */
  *push(chunk: Buffer): Generator<Frame, void, undefined> {
    let bytes = this.#add(chunk);
    while (bytes.length >= headerBytes) {
      const size = bytes.readUInt32LE(0);
      const type = bytes.readUInt16LE(4);
      if (size > maxPayloadBytes) throw new MalformedBytes(`a frame claims ${size} bytes`);
      if (!isFrameType(type)) throw new MalformedBytes(`a frame is of type ${type}`);
      const end = headerBytes + size;
      if (bytes.length < end) break;
      const frame = {
        type,
        request: bytes.readUInt32LE(6),
        payload: bytes.subarray(headerBytes, end),
      };
      bytes = bytes.subarray(end);
      // No room behind it: what was given away is never written over.
      this.#room = bytes;
      this.#kept = bytes.length;
      yield frame;
    }
  }

  #add(chunk: Buffer): Buffer {
    const size = this.#kept + chunk.length;
    if (this.#kept === 0) {
      this.#room = chunk;
    } else {
      if (size > this.#room.length) this.#grow(2 * size);
      chunk.copy(this.#room, this.#kept);
    }
    this.#kept = size;
    return this.#room.subarray(0, size);
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafe(size);
    this.#room.copy(grown, 0, 0, this.#kept);
    this.#room = grown;
  }
}

function isFrameType(type: number): type is FrameType {
  return known.has(type);
}
