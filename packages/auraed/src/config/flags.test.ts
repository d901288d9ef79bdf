import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../process/refusal.ts";
import { parseFlags } from "./flags.ts";
import { parseListenAddress } from "./listen-address.ts";
import { readConfig } from "./read-config.ts";

test("parseFlags() takes upstream's flags, and no others' values", () => {
  const args = ["-s", "/s", "-r", "/r", "-l", "/l", "-v", "--listen", "[::1]:0", "--free-on-exit"];

  const command = parseFlags([...args, "--ca-crt", "/ca", "--config", "/c"]);

  assert.deepEqual(command, {
    kind: "serve",
    configFile: "/c",
    flags: {
      ...{ socket: "/s", runtimeDir: "/r", libraryDir: "/l", caCrt: "/ca" },
      ...{ listen: { host: "::1", port: 0 }, freeOnExit: true, logLevel: "debug" },
    },
  });
});

for (const args of [["--sokcet", "/s"], ["stray"], ["--listen", "80"], ["--socket"]]) {
  test(`parseFlags() refuses ${args.join(" ")} as wrong usage`, () => {
    assert.throws(
      () => parseFlags(args),
      (cause) => cause instanceof Refusal && cause.exitCode === 2 && !cause.message.includes("\n"),
    );
  });
}

test("parseFlags() tells help and version apart from serving", () => {
  assert.deepEqual([parseFlags(["-h"]).kind, parseFlags(["--version"]).kind], ["help", "version"]);
});

test("readConfig() puts the socket into the runtime directory", () => {
  assert.equal(readConfig({ runtimeDir: "/r" }, undefined).socket, "/r/aurae.sock");
});

test("readConfig() refuses a file that is named and not there", () => {
  assert.throws(
    () => readConfig({}, "/nowhere/auraed.toml"),
    /no such file or directory \(ENOENT\)$/,
  );
});

test("parseListenAddress() takes names, IPv4 and IPv6 in brackets, and nothing else", () => {
  const taken = ["localhost:80", "127.0.0.1:0", "[::]:65535", "[fe80::1%eth0]:1"];
  const refused = ["::1:80", "[::1]", "host", "host:65536", ":80", "host:http", "a b:1", "host:1 "];

  assert.deepEqual(
    taken.filter((text) => parseListenAddress(text) === undefined),
    [],
  );
  assert.deepEqual(
    refused.filter((text) => parseListenAddress(text) !== undefined),
    [],
  );
});
