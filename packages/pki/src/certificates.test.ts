import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { createAuthority } from "./authority.ts";
import { issueClientCertificate, issueServerCertificate } from "./certificates.ts";
import { PkiError } from "./pki-error.ts";
import { leafLifetimeMs } from "./validity.ts";
import * as x509 from "./x509.ts";

const authority = await createAuthority();

test("issueServerCertificate() names the node, and how it is reached", async () => {
  const alternativeNames = ["node.example", "192.0.2.1", "::ffff:192.0.2.2"];

  const server = await issueServerCertificate(authority, { hostname: "n1", alternativeNames });

  assert.equal(server.spiffeId, "spiffe://aurae.local/node/n1");
  assert.equal(
    new X509Certificate(server.certificatePem).subjectAltName,
    "URI:spiffe://aurae.local/node/n1, DNS:localhost, DNS:n1, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, " +
      "DNS:node.example, IP Address:192.0.2.1, IP Address:0:0:0:0:0:FFFF:C000:202",
  );
});

test("issueServerCertificate() states each name once", async () => {
  const server = await issueServerCertificate(authority, {
    hostname: "localhost",
    alternativeNames: ["127.0.0.1"],
  });

  assert.equal(
    new X509Certificate(server.certificatePem).subjectAltName,
    "URI:spiffe://aurae.local/node/localhost, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
  );
});

test("issueServerCertificate() is reached by every address it was given", async () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());

  await fc.assert(
    fc.asyncProperty(address, async (ip) => {
      const server = await issueServerCertificate(authority, {
        hostname: "n1",
        alternativeNames: [ip],
      });

      assert.notEqual(new X509Certificate(server.certificatePem).checkIP(ip), undefined);
    }),
  );
});

test("issueServerCertificate() refuses a name that is neither DNS name nor IP address", async () => {
  const bad = { hostname: "n1", alternativeNames: ["*.example"] };

  await assert.rejects(
    issueServerCertificate(authority, bad),
    /^PkiError: Cannot parse "\*\.example" as DNS name/,
  );
  await assert.rejects(issueServerCertificate(authority, { hostname: "n_1" }), PkiError);
});

test("issueClientCertificate() names aer/client, or the path it is given", async () => {
  const client = await issueClientCertificate(authority);
  const other = await issueClientCertificate(authority, { path: "aer/alice" });

  assert.equal(
    new X509Certificate(client.certificatePem).subjectAltName,
    "URI:spiffe://aurae.local/aer/client",
  );
  assert.equal(
    new X509Certificate(other.certificatePem).subjectAltName,
    "URI:spiffe://aurae.local/aer/alice",
  );
});

test("issueClientCertificate() refuses a malformed path", async () => {
  for (const path of ["", "/a", "a/", "../a", "a,URI:b", "a b"]) {
    await assert.rejects(issueClientCertificate(authority, { path }), PkiError);
  }
});

test("issued certificates are leaves for what their owner does", async () => {
  const server = await issueServerCertificate(authority, { hostname: "n1" });
  const client = await issueClientCertificate(authority);

  assert.deepEqual(readUsages(server.certificatePem), [
    x509.ExtendedKeyUsage.serverAuth,
    x509.ExtendedKeyUsage.clientAuth,
  ]);
  assert.deepEqual(readUsages(client.certificatePem), [x509.ExtendedKeyUsage.clientAuth]);
});

/** The extended key usages, once everything else about a leaf has been found right. */
function readUsages(pem: string): readonly string[] | undefined {
  const leaf = new x509.X509Certificate(pem);
  const constraints = leaf.getExtension(x509.BasicConstraintsExtension);
  const usage = leaf.getExtension(x509.KeyUsagesExtension);
  const issuer = leaf.getExtension(x509.AuthorityKeyIdentifierExtension)?.keyId;
  assert.deepEqual(
    [constraints?.ca, constraints?.pathLength, constraints?.critical],
    [false, undefined, true],
  );
  assert.deepEqual([usage?.usages, usage?.critical], [x509.KeyUsageFlags.digitalSignature, true]);
  assert.equal(
    issuer,
    authority.certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId,
  );
  assert.ok(leaf.getExtension(x509.SubjectKeyIdentifierExtension));
  return Array.from(leaf.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? [], String);
}

test("issued certificates chain to their authority, and to no other", async () => {
  const ca = new X509Certificate(authority.certificatePem);
  const other = new X509Certificate((await createAuthority()).certificatePem);

  const leaf = new X509Certificate((await issueClientCertificate(authority)).certificatePem);

  assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
  assert.ok(!leaf.checkIssued(other) && !leaf.verify(other.publicKey));
});

test("issued certificates come with their own key", async () => {
  const client = await issueClientCertificate(authority);
  const server = await issueServerCertificate(authority, { hostname: "n1" });

  assert.ok(ownsKey(client.certificatePem, client.privateKeyPem));
  assert.ok(!ownsKey(client.certificatePem, server.privateKeyPem));
});

function ownsKey(certificatePem: string, privateKeyPem: string): boolean {
  return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(privateKeyPem));
}

test("issued certificates have serial numbers of 128 random bits", async () => {
  const serials = await Promise.all(
    Array.from({ length: 64 }, async () => {
      const { certificatePem } = await issueClientCertificate(authority);
      return BigInt(`0x${new X509Certificate(certificatePem).serialNumber}`);
    }),
  );

  assert.equal(new Set(serials).size, 64);
  assert.ok(serials.every((serial) => serial > 0n && serial < 1n << 128n));
  assert.ok(serials.some((serial) => serial >= 1n << 127n));
});

test("issued certificates live 30 days, or as long as is asked", async () => {
  const issuedAt = new Date("2030-01-02T03:04:05Z");

  const usual = await issueClientCertificate(await createAuthority({ issuedAt }), { issuedAt });
  const short = await issueClientCertificate(authority, { lifetimeMs: 1000 });

  assert.equal(usual.notAfter.getTime(), issuedAt.getTime() + leafLifetimeMs);
  assert.ok(short.notAfter.getTime() <= Date.now() + 1000);
});

test("issued certificates never outlive their authority", async () => {
  const dying = await createAuthority({ lifetimeMs: 60_000 });

  await assert.rejects(issueClientCertificate(dying), /: its authority ends before it, at \d{4}-/);
});
