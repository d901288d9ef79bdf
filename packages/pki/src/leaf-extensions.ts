import { derTag, expectDer, readDer } from "./der.ts";

/** What the extensions of a certificate say about a peer. What is undefined is not stated. */
export interface LeafExtensions {
  readonly isAuthority: boolean;
  readonly keyUsage: KeyUsage | undefined;
  readonly isForClients: boolean | undefined;
  /** Each URI of the subject alternative name, a byte a character. */
  readonly uris: readonly string[];
}

/** The bits of keyUsage that matter for a peer (RFC 5280 §4.2.1.3). */
export interface KeyUsage {
  readonly mayDigitallySign: boolean;
  readonly mayIssue: boolean;
}

/** Object identifiers as they are encoded, in hex: 2.5.29.x is 551d and x. */
const subjectAlternativeName = "551d11";
const basicConstraints = "551d13";
const keyUsage = "551d0f";
const extendedKeyUsage = "551d25";
/** 1.3.6.1.5.5.7.3.2 (RFC 5280 §4.2.1.12). */
const clientAuth = "2b06010505070302";

/** GeneralName is a choice by tag, [0] to [8]; of these [0], [3], [4] and [5] are constructed (RFC 5280 §4.2.1.6). */
const generalNames: readonly number[] = [0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87, 0x88];
const uniformResourceIdentifier = 0x86;
/** The bit of a tag that says that elements are inside (X.690 §8.1.2.5). */
const constructed = 0x20;

/**
 * Read what the extensions of a certificate in DER say.
 *
 * @throws {Error} when the bytes are not a certificate in DER, or an extension is there twice, which
 * RFC 5280 §4.2 forbids: one reader would heed the first and another the last.
 */
export function readLeafExtensions(der: Uint8Array): LeafExtensions {
  const extensions = readExtensions(der);
  return {
    isAuthority: ifStated(extensions.get(basicConstraints), readIsAuthority) ?? false,
    keyUsage: ifStated(extensions.get(keyUsage), readKeyUsage),
    isForClients: ifStated(extensions.get(extendedKeyUsage), readIsForClients),
    uris: ifStated(extensions.get(subjectAlternativeName), readUris) ?? [],
  };
}

function ifStated<T>(value: Uint8Array | undefined, read: (value: Uint8Array) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

/** Certificate ::= { tbsCertificate { …, [3] { extensions } }, … }: each extension's value by its type, in hex. */
function readExtensions(der: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const [certificate] = readDer(readSequence(der, "the certificate"));
  const body = readDer(expectDer(certificate, derTag.sequence, "the certificate's body"));
  const extensions = new Map<string, Uint8Array>();
  const wrapper = body.find((element) => element.tag === 0xa3);
  if (wrapper === undefined) return extensions;
  for (const extension of readDer(readSequence(wrapper.contents, "the list of extensions"))) {
    const [type, ...rest] = readDer(expectDer(extension, derTag.sequence, "an extension"));
    const id = toHex(expectDer(type, derTag.objectIdentifier, "an extension's type"));
    if (extensions.has(id)) throw new Error("it has the same extension twice");
    extensions.set(id, expectDer(rest.at(-1), derTag.octetString, "an extension's value"));
  }
  return extensions;
}

function readIsAuthority(value: Uint8Array): boolean {
  const [first] = readDer(readSequence(value, "basicConstraints"));
  return first?.tag === derTag.boolean && first.contents.some((byte) => byte !== 0);
}

/** The first octet of a bit string counts the unused bits; bit 0 is the highest of the second. */
function readKeyUsage(value: Uint8Array): KeyUsage {
  const bits = readOne(value, derTag.bitString, "keyUsage")[1] ?? 0;
  return { mayDigitallySign: (bits & 0x80) !== 0, mayIssue: (bits & (0x04 | 0x02)) !== 0 };
}

function readIsForClients(value: Uint8Array): boolean {
  const usages = readDer(readSequence(value, "extendedKeyUsage"));
  return usages
    .map((usage) => toHex(expectDer(usage, derTag.objectIdentifier, "an extended key usage")))
    .includes(clientAuth);
}

function readUris(value: Uint8Array): readonly string[] {
  const names = readDer(readSequence(value, "subjectAltName"));
  for (const { tag, contents } of names) {
    if (!generalNames.includes(tag)) throw new Error("subjectAltName has a name of no known type");
    if ((tag & constructed) !== 0) readDer(contents);
  }
  return names
    .filter((name) => name.tag === uniformResourceIdentifier)
    .map((name) => Buffer.from(name.contents).toString("latin1"));
}

function readSequence(bytes: Uint8Array, what: string): Uint8Array {
  return readOne(bytes, derTag.sequence, what);
}

/** The contents of the only element there is. */
function readOne(bytes: Uint8Array, tag: number, what: string): Uint8Array {
  const [only, ...more] = readDer(bytes);
  if (more.length > 0) throw new Error(`something follows ${what}`);
  return expectDer(only, tag, what);
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
