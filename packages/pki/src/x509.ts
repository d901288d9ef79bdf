// The certificate library resolves its algorithms through tsyringe, which refuses to load before
// this polyfill has: so every file here takes the library from this one.
import "reflect-metadata";

// biome-ignore lint/performance/noBarrelFile: it is here for the order of the two imports.
export {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
