import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createAuthority, issueClientCertificate } from "@aurae/pki";
import { defaultTrustDomain } from "@aurae/pki/spiffe-id";
import { findCallerRefusal, readCaller } from "./caller.ts";

const rules = { trustDomain: defaultTrustDomain, identities: new Map() };
const issued = await issueClientCertificate(await createAuthority(), { lifetimeMs: 60_000 });
const caller = readCaller(new X509Certificate(issued.certificatePem).raw, rules);

test("a caller is served from the first to the last moment of its certificate", () => {
  assert.equal(findCallerRefusal(caller, issued.notBefore), undefined);
  assert.equal(findCallerRefusal(caller, issued.notAfter), undefined);
});

test("a caller is refused before and after the time of its certificate, whenever it has connected", () => {
  const early = findCallerRefusal(caller, new Date(issued.notBefore.getTime() - 1));
  const late = findCallerRefusal(caller, new Date(issued.notAfter.getTime() + 1));

  assert.equal(early?.reason, "CERTIFICATE_NOT_YET_VALID");
  assert.equal(late?.reason, "CERTIFICATE_EXPIRED");
});

test("bytes that are no certificate are no caller", () => {
  assert.equal(readCaller(Buffer.from("nothing"), rules).kind, "refused");
});
