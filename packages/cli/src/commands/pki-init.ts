import { join } from "node:path";
import { type InitializedDirectory, initDirectory } from "@aurae/pki";
import type { Command } from "commander";
import { parseWhole, readGlobalFlags } from "../flags.ts";
import { say, writeJson, writeOut } from "../output.ts";

interface Flags {
  readonly san?: readonly string[];
  readonly hostname?: string;
  readonly trustDomain?: string;
  readonly clientId?: string;
  readonly days?: number;
}

export function define(command: Command): void {
  command
    .argument("<dir>", "where to write; made when it is not there")
    .option("--san <name>", "a further name or address of the server; again for more", collect)
    .option("--hostname <name>", "the name of the node (this machine's)")
    .option("--trust-domain <domain>", "who the certificates are for (aurae.local)")
    .option("--client-id <path>", "who the client is, in the trust domain (aer/client)")
    .option("--days <number>", "how long server and client are valid (30)", parseWhole(1, 3650))
    .addHelpText("after", "\nExample: aer pki init ~/pki --san node1.example.com --san 192.0.2.7")
    .action(init);
}

async function init(directory: string, flags: Flags, command: Command): Promise<void> {
  const made = await initDirectory(directory, {
    hostname: flags.hostname,
    alternativeNames: flags.san,
    trustDomain: flags.trustDomain,
    clientPath: flags.clientId,
    lifetimeMs: flags.days === undefined ? undefined : flags.days * 24 * 60 * 60 * 1000,
  });
  if (readGlobalFlags(command).output === "json") await writeJson(toJson(made));
  else await writeOut(`${made.files.join("\n")}\n`);
  const [ca, crt, key] = ["ca.crt", "server.crt", "server.key"].map((name) =>
    quote(join(made.directory, name)),
  );
  say(`Next: sudo auraed --ca-crt ${ca} --server-crt ${crt} --server-key ${key}`);
}

function toJson({ directory, files, server, client }: InitializedDirectory): object {
  return {
    directory,
    files,
    server: { id: server.spiffeId, notAfter: server.notAfter },
    client: { id: client.spiffeId, notAfter: client.notAfter },
  };
}

/** For a shell, when a path needs it. */
function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function collect(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}
