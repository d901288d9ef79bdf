const machine = "^(node:)?(fs|child_process|worker_threads|net|tls|http2?|https|dgram)(/|$)";

function ours(...names) {
  return `@aurae/(${names.join("|")})(/|$)|^packages/(${names.join("|")})/`;
}

function not(...names) {
  return `@aurae/(?!(${names.join("|")})(/|$))|^packages/(?!(${names.join("|")})/)`;
}

/** Code for tests: it may use more than the code it tests, and nothing but tests may use it. */
const tests = "(\\.test|\\.suite|/testing|/testing/[^/]+)\\.ts$";
const fakes = "/fake-[^/]*\\.ts$";

/** Imports by the name of a package stay unresolved here, so every rule knows names and paths. */
function rule(name, from, to, comment, pathNot = tests) {
  const source = pathNot === null ? { path: from } : { path: from, pathNot };
  return { name, severity: "error", comment, from: source, to: { path: to } };
}

/** The arrows of ARCHITECTURE.md. What a developer reads when a rule fails is its comment. */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      comment: "Two files that need each other are one file, or miss a third.",
      from: {},
      to: { circular: true },
    },
    rule(
      "api-is-generated",
      "^packages/api/",
      `${not("api")}|@grpc|${machine}`,
      "packages/api holds what the generator wrote.",
    ),
    rule(
      "domain-is-pure",
      "^packages/domain/",
      `${not("domain")}|@grpc|@bufbuild|${machine}`,
      "The domain knows neither the wire nor the machine: ask for an interface, main.ts hands it in.",
    ),
    rule(
      "linux-knows-domain-only",
      "^packages/linux/",
      `${not("linux", "domain")}|@grpc|@bufbuild`,
      "It implements the domain's interfaces, no more.",
    ),
    rule(
      "auraed-is-the-server",
      "^packages/auraed/",
      not("auraed", "api", "domain", "linux", "pki/identity", "pki/spiffe-id"),
      "The daemon reads identities; it needs no client, no command line and no authority. Its tests may.",
    ),
    rule(
      "services-dont-touch-the-machine",
      "^packages/auraed/src/services/",
      `${ours("linux")}|${machine}`,
      "Read the request, ask the domain, answer.",
    ),
    rule(
      "only-main-wires",
      "^packages/auraed/src/(?!main\\.ts$)",
      `${ours("linux")}|^packages/auraed/src/main\\.ts$`,
      "main.ts makes things and hands them on.",
    ),
    rule(
      "client-knows-the-wire-only",
      "^packages/client/",
      not("client", "api"),
      "The SDK talks to a daemon; it contains none of it.",
    ),
    rule(
      "cli-goes-through-the-client",
      "^packages/cli/",
      not("cli", "client", "pki"),
      "aer uses what every user of the SDK has.",
    ),
    rule(
      "pki-stands-alone",
      "^packages/pki/",
      `${not("pki")}|@grpc|@bufbuild`,
      "Certificates are made without a daemon.",
    ),
    rule(
      "conformance-is-a-black-box",
      "^conformance/",
      `${not("api", "domain")}|^@aurae/domain/(?!(testing|failpoint-names)$)`,
      "The suite runs against any auraed address; from us it has the wire, and what explains answers.",
      null,
    ),
    rule(
      "users-use-the-client",
      "^(bench|demo)/",
      `${not("client", "conformance")}|^conformance/(?!(daemon|host)\\.ts$)`,
      "The demo and the measurements see what a user sees, and the host beside it.",
      null,
    ),
    {
      name: "no-reaching-in",
      severity: "error",
      comment: "Import a package by its name: its exports are its promise.",
      from: { path: "^packages/([^/]+)/" },
      to: { path: "^packages/(?!$1/)" },
    },
    {
      name: "no-reaching-in-from-outside",
      severity: "error",
      comment: "Import a package by its name: its exports are its promise.",
      from: { path: "^(bench|conformance|demo)/" },
      to: { path: "^packages/" },
    },
    {
      name: "fakes-stay-in-tests",
      severity: "error",
      comment: "Fakes and suites are for tests.",
      from: { pathNot: `${tests}|${fakes}` },
      to: { path: `${tests}|${fakes}|^@aurae/[^/]+/testing$` },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: `${__dirname}/tsconfig.base.json` },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(packages/[^/]+|conformance|bench)/(dist|node_modules)/" },
  },
};
