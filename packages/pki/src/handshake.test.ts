import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { type Authority, createAuthority } from "./authority.ts";
import { issueClientCertificate, issueServerCertificate } from "./certificates.ts";
import { readIdentity } from "./identity.ts";
import type { IssuedCertificate } from "./leaf.ts";

const authority = await createAuthority();
const stranger = await createAuthority();
const server = await issueServerCertificate(authority, { hostname: "n1" });
const client = await issueClientCertificate(authority);

interface Side {
  readonly trusted: Authority;
  readonly own: IssuedCertificate;
}

interface Outcome {
  readonly server: TLSSocket | Error;
  readonly client: TLSSocket | Error;
}

/** Shake hands over a Unix socket in TLS 1.3, give what either side saw to `look`, and end both. */
async function shakeHands(
  servers: Side,
  clients: Side,
  look: (seen: Outcome) => void,
): Promise<void> {
  await using directory = await mkdtempDisposable(join(tmpdir(), "aurae-pki-"));
  const path = join(directory.path, "socket");
  await using listening = createServer({ ...toTls(servers), requestCert: true });
  await once(listening.listen(path), "listening");
  const seenByServer = Promise.withResolvers<TLSSocket | Error>();
  listening.on("secureConnection", seenByServer.resolve).on("tlsClientError", seenByServer.resolve);

  const socket = connect({ ...toTls(clients), path, servername: "n1" });
  const seenByClient = Promise.withResolvers<TLSSocket | Error>();
  socket
    .once("secureConnect", () => seenByClient.resolve(socket))
    .on("error", seenByClient.resolve);
  const seen = { server: await seenByServer.promise, client: await seenByClient.promise };
  look(seen);
  socket.destroy();
  if (!(seen.server instanceof Error)) seen.server.destroy();
}

function toTls({ trusted, own }: Side): {
  ca: string;
  cert: string;
  key: string;
  minVersion: "TLSv1.3";
} {
  return {
    ca: trusted.certificatePem,
    cert: own.certificatePem,
    key: own.privateKeyPem,
    minVersion: "TLSv1.3",
  };
}

test("a handshake succeeds in TLS 1.3 and shows each side the other's identity", async () => {
  await shakeHands(
    { trusted: authority, own: server },
    { trusted: authority, own: client },
    (seen) => {
      assert.ok(!(seen.server instanceof Error) && !(seen.client instanceof Error));
      assert.equal(seen.server.getProtocol(), "TLSv1.3");
      const identities = [seen.server, seen.client].map((socket) => {
        const identity = readIdentity(socket.getPeerX509Certificate()?.raw ?? new Uint8Array());
        return identity.kind === "spiffe" ? identity.spiffeId : identity.kind;
      });
      assert.deepEqual(identities, [client.spiffeId, server.spiffeId]);
    },
  );
});

test("a handshake fails at the server for a client of another authority", async () => {
  const strange = await issueClientCertificate(stranger);

  await shakeHands(
    { trusted: authority, own: server },
    { trusted: authority, own: strange },
    (seen) => {
      assert.ok(seen.server instanceof Error);
    },
  );
});

test("a handshake fails at the client for a server of another authority", async () => {
  await shakeHands(
    { trusted: authority, own: server },
    { trusted: stranger, own: client },
    (seen) => {
      assert.ok(seen.client instanceof Error);
    },
  );
});

test("a handshake fails for a client's certificate that has ended", async () => {
  const issuedAt = new Date(Date.now() - 60_000);
  const ended = await issueClientCertificate(authority, { issuedAt, lifetimeMs: 30_000 });

  await shakeHands(
    { trusted: authority, own: server },
    { trusted: authority, own: ended },
    (seen) => {
      assert.ok(seen.server instanceof Error);
    },
  );
});

test("a handshake fails at the client for a server with a client's certificate", async () => {
  await shakeHands(
    { trusted: authority, own: client },
    { trusted: authority, own: client },
    (seen) => {
      assert.ok(seen.client instanceof Error);
    },
  );
});
