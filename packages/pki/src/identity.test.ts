import assert from "node:assert/strict";
import { X509Certificate as NodeCertificate } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { createAuthority } from "./authority.ts";
import { issueClientCertificate, issueServerCertificate } from "./certificates.ts";
import { type Identity, readIdentity } from "./identity.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { issueOddCertificate, type OddCertificate } from "./testing.ts";
import {
  ExtendedKeyUsage,
  Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from "./x509.ts";

const authority = await createAuthority();
const admin = "spiffe://aurae.local/aer/admin";
const plain = { names: [{ type: "url", value: admin }] } satisfies OddCertificate;

async function readOdd(odd: OddCertificate): Promise<Identity> {
  return readIdentity((await issueOddCertificate(authority, odd)).der);
}

async function refusalOf(odd: OddCertificate): Promise<string> {
  const identity = await readOdd(odd);
  return identity.kind === "refused" ? identity.reason : identity.kind;
}

function toDer(pem: string): Uint8Array {
  return new NodeCertificate(pem).raw;
}

test("readIdentity() knows the clients and servers of the authority", async () => {
  const client = readIdentity(toDer((await issueClientCertificate(authority)).certificatePem));
  const server = readIdentity(
    toDer((await issueServerCertificate(authority, { hostname: "n1" })).certificatePem),
  );

  assert.ok(client.kind === "spiffe" && client.spiffeId === "spiffe://aurae.local/aer/client");
  assert.ok(server.kind === "spiffe" && server.spiffeId === "spiffe://aurae.local/node/n1");
});

test("readIdentity() reads the same facts as another library", async () => {
  const issued = new X509Certificate((await issueClientCertificate(authority)).certificatePem);

  const identity = readIdentity(new Uint8Array(issued.rawData));

  assert.ok(identity.kind === "spiffe");
  assert.deepEqual(identity.certificate, {
    commonName: "aer",
    serial: issued.serialNumber,
    notBefore: issued.notBefore,
    notAfter: issued.notAfter,
    fingerprint: Buffer.from(await issued.getThumbprint("SHA-256")).toString("hex"),
  });
});

test("readIdentity() gives the common name of a certificate without URI", async () => {
  const identity = await readOdd({ subject: [{ CN: ["system"] }] });
  const named = await readOdd({
    subject: [{ CN: ["nova"] }],
    names: [{ type: "dns", value: "nova" }],
  });

  assert.ok(identity.kind === "no-uri" && identity.certificate.commonName === "system");
  assert.ok(named.kind === "no-uri" && named.certificate.commonName === "nova");
});

test("readIdentity() takes no common name where there are two", async () => {
  const identity = await readOdd({ subject: [{ CN: ["nova"] }, { CN: ["system"] }] });

  assert.ok(identity.kind === "no-uri" && identity.certificate.commonName === undefined);
});

test("readIdentity() takes a common name with NUL in it as a whole", async () => {
  const identity = await readOdd({ subject: [{ CN: ["system\0.example"] }] });

  assert.ok(identity.kind === "no-uri" && identity.certificate.commonName !== "system");
});

test("readIdentity() refuses more than one URI, though one is right", async () => {
  const other = { type: "url", value: "https://aurae.local" } as const;

  assert.equal(await refusalOf({ names: [...plain.names, other] }), "many-uris");
  assert.equal(await refusalOf({ names: [other, ...plain.names] }), "many-uris");
  assert.equal(await refusalOf({ names: [...plain.names, ...plain.names] }), "many-uris");
});

test("readIdentity() takes a name with a comma for one name", async () => {
  const trick = `x, URI:${admin}`;
  const inUri: JsonGeneralNames = [{ type: "url", value: `spiffe://aurae.local/${trick}` }];

  assert.equal(await refusalOf({ names: [{ type: "dns", value: trick }] }), "no-uri");
  assert.equal(await refusalOf({ names: [{ type: "email", value: trick }] }), "no-uri");
  assert.equal(await refusalOf({ names: [{ type: "url", value: trick }] }), "bad-spiffe-id");
  assert.equal(await refusalOf({ names: inUri }), "bad-spiffe-id");
});

test("readIdentity() refuses a URI that is no SPIFFE ID of the trust domain", async () => {
  const elsewhere = ["", "https://aurae.local/a", "spiffe://prod.example/a"];
  const atRoot = ["spiffe://aurae.local", "spiffe://aurae.local/"];
  const malformed = ["/../root", "/", "\0", "%00", "?a", "é", "a".repeat(2048)].map(
    (end) => admin + end,
  );

  for (const value of [...elsewhere, ...atRoot, ...malformed]) {
    assert.equal(await refusalOf({ names: [{ type: "url", value }] }), "bad-spiffe-id", value);
  }
});

test("readIdentity() heeds the trust domain it is given", async () => {
  const prod = await createAuthority({ trustDomain: "prod.example" });
  const der = toDer((await issueClientCertificate(prod)).certificatePem);

  assert.equal(readIdentity(der, parseTrustDomain("prod.example")).kind, "spiffe");
  assert.equal(readIdentity(der).kind, "refused");
});

test("readIdentity() refuses an authority's certificate", async () => {
  assert.equal(await refusalOf({ ...plain, isAuthority: true }), "ca");
  assert.equal(await refusalOf({ subject: [{ CN: ["system"] }], isAuthority: true }), "ca");
  assert.equal(readIdentity(new Uint8Array(authority.certificate.rawData)).kind, "refused");
  assert.equal(await refusalOf({ ...plain, isAuthority: false }), "spiffe");
});

test("readIdentity() wants a key that signs, and no certificates", async () => {
  const { digitalSignature, keyAgreement, keyCertSign, cRLSign } = KeyUsageFlags;

  assert.equal(await refusalOf({ ...plain, keyUsage: digitalSignature | keyAgreement }), "spiffe");
  assert.equal(await refusalOf({ ...plain, keyUsage: keyAgreement }), "key-usage");
  assert.equal(
    await refusalOf({ ...plain, keyUsage: digitalSignature | keyCertSign }),
    "key-usage",
  );
  assert.equal(await refusalOf({ ...plain, keyUsage: digitalSignature | cRLSign }), "key-usage");
});

test("readIdentity() wants clientAuth where extended key usage is stated", async () => {
  const { serverAuth, clientAuth, codeSigning } = ExtendedKeyUsage;

  assert.equal(
    await refusalOf({ ...plain, extendedKeyUsages: [serverAuth, clientAuth] }),
    "spiffe",
  );
  assert.equal(
    await refusalOf({ ...plain, extendedKeyUsages: [serverAuth] }),
    "extended-key-usage",
  );
  assert.equal(
    await refusalOf({ ...plain, extendedKeyUsages: [codeSigning] }),
    "extended-key-usage",
  );
  assert.equal(await refusalOf(plain), "spiffe");
});

test("readIdentity() refuses an extension that is there twice", async () => {
  const names: JsonGeneralNames = [{ type: "url", value: "spiffe://aurae.local/aer/client" }];
  const further = [new SubjectAlternativeNameExtension(names)];

  assert.equal(await refusalOf({ ...plain, further }), "malformed");
});

test("readIdentity() passes over names that are no URI, of whatever type", async () => {
  const names: JsonGeneralNames = [
    { type: "upn", value: admin },
    { type: "id", value: "1.2.3" },
    { type: "dn", value: `CN=${admin}` },
    { type: "ip", value: "::1" },
  ];

  assert.equal(await refusalOf({ names }), "no-uri");
  assert.equal(await refusalOf({ names: [...names, ...plain.names] }), "spiffe");
});

test("readIdentity() refuses a name of no known type", async () => {
  // [6] constructed, which BER would allow for a URI in pieces, and [9].
  for (const tag of [0xa6, 0x89]) {
    const further = [new Extension("2.5.29.17", false, Uint8Array.of(0x30, 0x03, tag, 0x01, 0x61))];

    assert.equal(await refusalOf({ further }), "malformed");
  }
});

test("readIdentity() refuses bytes after the certificate", async () => {
  const { der } = await issueOddCertificate(authority, plain);

  assert.equal(readIdentity(Buffer.concat([der, Buffer.of(0)])).kind, "malformed");
  assert.equal(readIdentity(Buffer.concat([der, der])).kind, "malformed");
});

test("readIdentity() never throws, whatever the bytes", async () => {
  const { der } = await issueOddCertificate(authority, plain);
  const byte = fc.record({ at: fc.nat(der.length - 1), value: fc.nat(255) });

  fc.assert(fc.property(fc.uint8Array(), (bytes) => readIdentity(bytes).kind === "malformed"));
  fc.assert(
    fc.property(
      fc.nat(der.length - 1),
      (end) => readIdentity(der.subarray(0, end)).kind === "malformed",
    ),
  );
  fc.assert(
    fc.property(byte, ({ at, value }) => "kind" in readIdentity(der.with(at, value))),
    { numRuns: 1000 },
  );
});

test("readIdentity() sees no identity that OpenSSL does not see, whatever byte is changed", async () => {
  const { der } = await issueOddCertificate(authority, { ...plain, isAuthority: false });
  const byte = fc.record({ at: fc.nat(der.length - 1), value: fc.nat(255) });

  fc.assert(
    fc.property(byte, ({ at, value }) => {
      const changed = der.with(at, value);
      const identity = readIdentity(changed);
      if (identity.kind !== "spiffe") return true;
      return new NodeCertificate(changed).subjectAltName === `URI:${identity.spiffeId}`;
    }),
    { numRuns: 1000 },
  );
});
