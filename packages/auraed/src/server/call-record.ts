import type { FailpointName } from "@aurae/domain/failpoint-names";
import { failpoint } from "@aurae/domain/failpoints";
import { type Deadline, status } from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { CallSubject } from "../services/service-impl.ts";
import type { Connection } from "./connection.ts";

/**
 * What the log says of a call: one line, when it has ended, with its method, caller, cell,
 * executable, status and duration. Never its arguments or environment.
 */
export class CallRecord {
  readonly #log: Logger;
  readonly #method: string;
  readonly #connection: Connection;
  readonly #startedAt = performance.now();
  #subject: CallSubject = {};
  #code: status | undefined;
  #isWritten = false;

  constructor(log: Logger, path: string, connection: Connection) {
    this.#log = log;
    this.#method = path.slice(1);
    this.#connection = connection;
  }

  /** What the adapter has made of a request, with its message inside. */
  received(request: unknown): void {
    this.#subject = readSubject(at(request, "message"));
    this.#log.trace({ method: this.#method, ...this.#subject }, "call begins");
  }

  /** What the handler has found out. */
  about({ cell, cellId, executable, run }: CallSubject): void {
    this.#subject = {
      ...this.#subject,
      ...(cell === undefined ? {} : { cell }),
      ...(cellId === undefined ? {} : { cellId }),
      ...(executable === undefined ? {} : { executable }),
      ...(run === undefined ? {} : { run }),
    };
  }

  answered(code: status): void {
    this.#code ??= code;
  }

  /** Nothing more happens; without an answer the caller has left, or its time was over. */
  ended(deadline: Deadline): void {
    if (this.#isWritten) return;
    this.#isWritten = true;
    const unanswered = Date.now() >= Number(deadline) ? status.DEADLINE_EXCEEDED : status.CANCELLED;
    const { identity, listener, peer } = this.#connection;
    this.#log.info(
      {
        method: this.#method,
        identity,
        listener,
        ...(peer === "" ? {} : { peer }),
        ...this.#subject,
        status: status[this.#code ?? unanswered],
        ms: Math.round((performance.now() - this.#startedAt) * 1000) / 1000,
      },
      "call",
    );
    const point = this.#code === status.OK ? replies.get(this.#method) : undefined;
    if (point !== undefined) failpoint(point);
  }
}

/** The last step of each mutation: its answer has been sent. */
const replies: ReadonlyMap<string, FailpointName> = new Map([
  ["runtime.CellService/Allocate", "allocate.8.replied"],
  ["runtime.CellService/Start", "start.7.replied"],
  ["runtime.CellService/Stop", "stop.8.replied"],
  ["runtime.CellService/Free", "free.10.replied"],
]);

/** Names as they came, shortened: a call that is refused for its names is logged with them. */
function readSubject(message: unknown): CallSubject {
  const cell = textAt(message, "cellName") ?? textAt(at(message, "cell"), "name");
  const executable = at(message, "executable");
  return {
    ...named("cell", cell ?? textAt(executable, "cellName")),
    ...named("executable", textAt(message, "executableName") ?? textAt(executable, "name")),
  };
}

function named(key: "cell" | "executable", name: string | undefined): CallSubject {
  return name === undefined || name === "" ? {} : { [key]: name.slice(0, 255) };
}

function textAt(value: unknown, key: string): string | undefined {
  const text = at(value, key);
  return typeof text === "string" ? text : undefined;
}

function at(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}
