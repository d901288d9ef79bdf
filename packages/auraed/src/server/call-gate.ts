import type { PeerCertificate } from "node:tls";
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import type { Logger } from "pino";
import { findCallerRefusal } from "../access/caller.ts";
import { type CallStatus, stopping, unauthenticated } from "../services/status.ts";
import { CallRecord } from "./call-record.ts";
import type { Connection } from "./connection.ts";
import type { OpenCalls } from "./open-calls.ts";
import { toWireStatus } from "./status-details.ts";

/** Health is answered to the end: it is what says that the daemon is stopping. */
const answeredWhenStopping = "/grpc.health.v1.Health/";

/**
 * What every call of a connection passes before its handler: an identity that counts now, and a
 * daemon that serves. It also writes the line of the call into the log.
 */
export function callGate(connection: Connection, calls: OpenCalls, log: Logger): ServerInterceptor {
  return ({ path }, call) => {
    const record = new CallRecord(log, path, connection);
    const refusal = findRefusal(path, connection, calls);
    if (refusal !== undefined) return refuse(call, refusal, record);
    return new AdmittedCall(call, connection, record);
  };
}

function findRefusal(
  path: string,
  { caller }: Connection,
  calls: OpenCalls,
): CallStatus | undefined {
  const refused = findCallerRefusal(caller, new Date());
  if (refused !== undefined)
    return unauthenticated(refused.reason, `Cannot authenticate: ${refused.why}`);
  return calls.isStopping && !path.startsWith(answeredWhenStopping) ? stopping : undefined;
}

/** Answer without a handler: it never learns of the call, for nobody starts to listen. */
function refuse(
  call: ServerInterceptingCallInterface,
  refusal: CallStatus,
  record: CallRecord,
): ServerInterceptingCall {
  return new ServerInterceptingCall(call, {
    start() {
      record.answered(refusal.code);
      call.sendStatus(toWireStatus(refusal));
      record.ended(Number.POSITIVE_INFINITY);
    },
  });
}

/** What the adapter finds of a call in the place of grpc-js' authentication context. */
export class Admission {
  readonly connection: Connection;
  readonly record: CallRecord;
  /** Of grpc-js' AuthContext, which this stands for; not used. */
  readonly sslPeerCertificate?: PeerCertificate;

  constructor(connection: Connection, record: CallRecord) {
    this.connection = connection;
    this.record = record;
  }
}

/** A call that may reach its handler. */
class AdmittedCall extends ServerInterceptingCall {
  readonly #admission: Admission;

  constructor(call: ServerInterceptingCallInterface, connection: Connection, record: CallRecord) {
    super(call, {
      start(next) {
        next({
          onReceiveMessage(message, next) {
            record.received(message);
            next(message);
          },
          onCancel() {
            // Comes at the end of every call, whatever its end; grpc-js passes it on by itself.
            record.ended(call.getDeadline());
          },
        });
      },
      sendStatus(status, next) {
        record.answered(status.code);
        next(status);
      },
    });
    this.#admission = new Admission(connection, record);
  }

  override getAuthContext(): Admission {
    return this.#admission;
  }
}
