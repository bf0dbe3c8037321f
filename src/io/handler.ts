import type { RemoteProtocolError } from "../proto/errors.ts";
import type { Ending, Peer } from "./peer.ts";

/** What a draining server tells its peers. */
export interface DrainNotice {
  /** Milliseconds after which the peer should connect again; spread over the peers. */
  comeBackInMs: number;
}

/**
 * What happens on a connection. Every callback may return a promise; the next message of the same connection waits for
 * it, other connections don't. A callback that throws ends its own connection, with the cause `failed`.
 */
export interface HandlerCallbacks<In, Out, State> {
  /**
   * A peer has connected. What it returns becomes `peer.state`. It may be asynchronous and may `receive()`: a login
   * belongs here, under the limit `firstMessageMs` and a small `peer.maxFrameBytes`. Only then does `message` get
   * messages. Throw a {@linkcode Refusal} to turn the peer away.
   */
  open?(peer: Peer<In, Out, undefined>): State | Promise<State>;
  /** A message has arrived. What is no message goes to `invalid`. */
  message(peer: Peer<In, Out, State>, message: In): unknown;
  /**
   * The peer sent something that is no message. If `error.recoverable`, the connection goes on afterwards unless the
   * callback closes it; else it ends with the cause `limit`. Without this callback every such error ends it.
   */
  invalid?(peer: Peer<In, Out, State>, error: RemoteProtocolError): unknown;
  /**
   * No more messages will be taken from this peer: it has ended its direction, or the server drains. The connection stays
   * until what this returns is settled, so that answers under way still reach the peer; it may be called twice.
   */
  finish?(peer: Peer<In, Out, State>): unknown;
  /** The server drains: a last message may be sent here. */
  drain?(peer: Peer<In, Out, State>, notice: DrainNotice): unknown;
  /** The connection has ended. Undoes `open`: called once, after every other callback, for each peer whose `open` returned. */
  close?(peer: Peer<In, Out, State>, ending: Ending): unknown;
}

/** The same as a loop: the connection ends when the function returns. */
export type HandlerFunction<In, Out> = (
  peer: Peer<In, Out, undefined>,
) => unknown;

/** What happens on a connection, as callbacks or as a loop. */
export type Handler<In, Out, State = undefined> =
  | HandlerCallbacks<In, Out, State>
  | HandlerFunction<In, Out>;
