import type { Caller } from "../access/caller.ts";

/** Where connections come in. */
export type ListenerKind = "unix" | "tcp";

/** One accepted connection, which its calls know: so the certificate is read once, not for each call. */
export class Connection {
  readonly listener: ListenerKind;
  readonly caller: Caller;
  /** "ADDRESS:PORT", or "" on a Unix socket. */
  readonly peer: string;

  constructor(listener: ListenerKind, caller: Caller, peer: string) {
    this.listener = listener;
    this.caller = caller;
    this.peer = peer;
  }

  /** Who calls, for the log and for handlers; what is refused never reaches a handler. */
  get identity(): string {
    return this.caller.kind === "known" ? this.caller.identity : "";
  }
}
