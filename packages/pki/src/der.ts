/** One element of a DER encoding: its identifier octet, and what is in it. */
export interface DerElement {
  readonly tag: number;
  readonly contents: Uint8Array;
}

/** Identifier octets of X.690 §8.1.2, as far as certificates need them. */
export const derTag = {
  boolean: 0x01,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  sequence: 0x30,
} as const;

/**
 * Split bytes into the elements they are made of, without looking inside them.
 *
 * Only DER is read: each length definite and as short as can be (X.690 §10.1), and nothing left
 * over. Two readers of the same bytes disagree where one of them is generous.
 *
 * @throws {Error} that says what is wrong, at which byte.
 */
export function readDer(bytes: Uint8Array): readonly DerElement[] {
  const elements: DerElement[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = byteAt(bytes, at);
    if ((tag & 0x1f) === 0x1f) throw new Error(`the tag at byte ${at} has a number above 30`);
    const { length, begin } = readLength(bytes, at + 1);
    if (begin + length > bytes.length) throw new Error(`the element at byte ${at} is cut off`);
    elements.push({ tag, contents: bytes.subarray(begin, begin + length) });
    at = begin + length;
  }
  return elements;
}

/** The contents of an element that must be there and have this tag. */
export function expectDer(element: DerElement | undefined, tag: number, what: string): Uint8Array {
  if (element?.tag !== tag) throw new Error(`${what} is missing or of another type`);
  return element.contents;
}

function readLength(
  bytes: Uint8Array,
  at: number,
): { readonly length: number; readonly begin: number } {
  const first = byteAt(bytes, at);
  if (first < 0x80) return { length: first, begin: at + 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 3) throw new Error(`the length at byte ${at} is indefinite or huge`);
  let length = 0;
  for (let index = 1; index <= count; index++) length = length * 256 + byteAt(bytes, at + index);
  const least = count === 1 ? 0x80 : 256 ** (count - 1);
  if (length < least) throw new Error(`the length at byte ${at} is longer than it need be`);
  return { length, begin: at + 1 + count };
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new Error(`it is cut off at byte ${at}`);
  return byte;
}
