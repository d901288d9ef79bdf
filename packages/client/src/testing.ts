import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, issueClientCertificate, issueServerCertificate } from "@aurae/pki";
import { connect, type Node } from "./client.ts";
import { type FakeAnswers, FakeNode } from "./fake-node.ts";

const authority = await createAuthority();
const server = await issueServerCertificate(authority, { hostname: "node.test" });
const client = await issueClientCertificate(authority);

/** A fake on a Unix socket of its own, and a connection to it. */
export async function openPair(
  answers: FakeAnswers,
): Promise<AsyncDisposable & { fake: FakeNode; node: Node }> {
  const directory = await mkdtemp(join(tmpdir(), "aurae-client-"));
  const socket = join(directory, "aurae.sock");
  const fake = await FakeNode.start({
    listen: `unix:${socket}`,
    caCrt: authority.certificatePem,
    serverCrt: server.certificatePem,
    serverKey: server.privateKeyPem,
    answers,
  });
  const node = await connect({
    socket,
    caCrt: authority.certificatePem,
    clientCrt: client.certificatePem,
    clientKey: client.privateKeyPem,
    env: { HOME: directory },
  });
  return {
    fake,
    node,
    async [Symbol.asyncDispose]() {
      node.close();
      await fake[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}
