import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createAuthority } from "./authority.ts";
import { PkiError } from "./pki-error.ts";
import { authorityLifetimeMs, clockSkewMs } from "./validity.ts";
import * as x509 from "./x509.ts";

test("createAuthority() signs itself with a P-256 key", async () => {
  const certificate = new X509Certificate((await createAuthority()).certificatePem);

  assert.equal(certificate.ca, true);
  assert.equal(certificate.verify(certificate.publicKey), true);
  assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
});

test("createAuthority() may sign leaves and revocation lists, and nothing else", async () => {
  const { certificate } = await createAuthority();

  const constraints = certificate.getExtension(x509.BasicConstraintsExtension);
  const usage = certificate.getExtension(x509.KeyUsagesExtension);

  assert.deepEqual(
    [constraints?.ca, constraints?.pathLength, constraints?.critical],
    [true, 0, true],
  );
  assert.equal(usage?.usages, x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign);
  assert.equal(usage?.critical, true);
  assert.ok(certificate.getExtension(x509.SubjectKeyIdentifierExtension));
});

test("createAuthority() gives each authority a subject of its own", async () => {
  const [one, other] = [await createAuthority(), await createAuthority()];

  assert.match(one.certificate.subject, /^CN=Aurae CA [0-9a-f]{16}$/);
  assert.notEqual(one.certificate.subject, other.certificate.subject);
});

test("createAuthority() lives 3650 days, and began five minutes ago", async () => {
  const issuedAt = new Date("2030-01-02T03:04:05.678Z");

  const { certificate } = await createAuthority({ issuedAt });

  assert.equal(certificate.notBefore.getTime(), issuedAt.getTime() - clockSkewMs - 678);
  assert.equal(certificate.notAfter.getTime(), issuedAt.getTime() + authorityLifetimeMs - 678);
});

test("createAuthority() names its trust domain without a path", async () => {
  const { certificatePem } = await createAuthority({ trustDomain: "prod.example" });

  assert.equal(new X509Certificate(certificatePem).subjectAltName, "URI:spiffe://prod.example");
});

test("createAuthority() refuses a malformed trust domain or lifetime", async () => {
  await assert.rejects(createAuthority({ trustDomain: "Prod" }), PkiError);
  for (const lifetimeMs of [0, 999, -1, Number.NaN, authorityLifetimeMs + 1]) {
    await assert.rejects(createAuthority({ lifetimeMs }), PkiError);
  }
  await assert.rejects(createAuthority({ issuedAt: new Date(Number.NaN) }), PkiError);
});
