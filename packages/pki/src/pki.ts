export { type Authority, type AuthorityOptions, createAuthority } from "./authority.ts";
export {
  type ClientCertificateOptions,
  issueClientCertificate,
  issueServerCertificate,
  type ServerCertificateOptions,
} from "./certificates.ts";
export {
  type InitializedDirectory,
  type InitOptions,
  initDirectory,
  pkiFileNames,
} from "./directory.ts";
export {
  type CertificateFacts,
  type Identity,
  type IdentityRefusal,
  readIdentity,
} from "./identity.ts";
export type { IssuedCertificate, LeafOptions } from "./leaf.ts";
export { PkiError } from "./pki-error.ts";
export {
  defaultTrustDomain,
  parseSpiffeId,
  parseTrustDomain,
  type SpiffeId,
  type TrustDomain,
} from "./spiffe-id.ts";
export { authorityLifetimeMs, clockSkewMs, leafLifetimeMs } from "./validity.ts";
