import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Refusal } from "../process/refusal.ts";
import { parseConfigFile } from "./config-file.ts";

const path = "/etc/aurae/auraed.toml";

test("parseConfigFile() takes every key", () => {
  const config = parseConfigFile(
    `socket = "/s"
     listen = "[::1]:80"
     runtime_dir = "/r"
     library_dir = "/l"
     free_on_exit = true
     cgroup_parent = "/machine"
     trust_domain = "prod.example"
     tls = { ca_crt = "/ca", server_crt = "/crt", server_key = "/key" }
     log = { level = "debug" }
     logs = { segment_bytes = 65536, segments_kept = 2, max_age_hours = 1, max_bytes = 0, max_cells = 3 }
     [identities]
     "nova client" = "spiffe://prod.example/user/nova"`,
    path,
  );

  const { identities, ...rest } = config;
  assert.deepEqual([...(identities ?? [])], [["nova client", "spiffe://prod.example/user/nova"]]);
  assert.deepEqual(rest, {
    ...{ socket: "/s", listen: { host: "::1", port: 80 }, runtimeDir: "/r", libraryDir: "/l" },
    ...{ freeOnExit: true, cgroupParent: "/machine", trustDomain: "prod.example" },
    ...{ caCrt: "/ca", serverCrt: "/crt", serverKey: "/key", logLevel: "debug" },
    logs: {
      ...{ segmentBytes: 65536, segmentsKept: 2, maxAgeMs: 3_600_000 },
      ...{ maxBytes: 0, maxCells: 3 },
    },
  });
});

const wrong: Readonly<Record<string, RegExp>> = {
  'sokcet = "/s"': /: sokcet: there is no such key$/,
  "socket = 7": /: socket: it is not a text in quotes$/,
  'socket = "here"': /: socket: it is not an absolute path$/,
  'listen = "80"': /: listen: it is not HOST:PORT$/,
  'free_on_exit = "yes"': /: free_on_exit: it is neither true nor false$/,
  'cgroup_parent = "/a/../b"': /: cgroup_parent: it is neither "auto" nor an absolute path$/,
  'trust_domain = "UPPER"': /: trust_domain: Cannot parse trust domain/,
  'tls = "/etc"': /: tls: it is not a table$/,
  "[tls]\nca = 1": /: tls\.ca: there is no such key$/,
  '[log]\nlevel = "loud"': /: log\.level: it is not one of error, warn, info, debug, trace$/,
  "[logs]\nsegments_kept = 0": /: logs\.segments_kept: it is not a whole number from 1 on$/,
  '[identities]\n"nova" = "nova"': /: identities\.nova: Cannot parse SPIFFE ID/,
  "socket =": /^Cannot read the configuration \/etc\/aurae\/auraed\.toml: [^\n]+$/,
};

for (const [text, message] of Object.entries(wrong)) {
  test(`parseConfigFile() refuses ${JSON.stringify(text)}, naming the key`, () => {
    assert.throws(
      () => parseConfigFile(text, path),
      (cause) => cause instanceof Refusal && cause.exitCode === 2 && message.test(cause.message),
    );
  });
}

test("parseConfigFile() takes every key of the example in dist/", () => {
  const example = readFileSync(new URL("../../../../dist/auraed.toml", import.meta.url), "utf8");
  const keys = example.replaceAll(/^# (?=\[|"|[a-z_]+ =)/gm, "");

  const config = parseConfigFile(keys, path);

  assert.equal(config.identities?.size, 1);
  assert.equal(config.logs?.maxCells, 10_000);
});
