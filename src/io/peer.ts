import type { Agreement } from "../proto/hello/agreement.ts";
import type { PeerIdentity } from "./peer_identity.ts";

/** Why a connection ended. */
export type EndingCause =
  /** The peer closed it, or reset it (`error` is then set). */
  | "peer closed"
  /** This program closed it. */
  | "local closed"
  /** A deadline passed: idle, first message, frame, or write. */
  | "timed out"
  /** The peer went over a limit or broke the protocol. */
  | "limit"
  /** The server is shutting down. */
  | "shut down"
  /** A handler threw, or the connection failed. */
  | "failed";

/** How a connection ended. */
export interface Ending {
  /** Why. */
  cause: EndingCause;
  /** A few words for a person, such as `idle for 60000 ms`. */
  reason?: string;
  /** What was thrown, if anything was. */
  error?: unknown;
}

/** Options of {@linkcode Peer.drained} and other waits. */
export interface WaitOptions {
  /** Gives up when aborted. */
  signal?: AbortSignal;
}

/**
 * The other side of one connection, as handlers and clients see it.
 *
 * @typeParam In What the peer sends.
 * @typeParam Out What the peer is sent.
 * @typeParam State What `open` returned for this peer.
 */
export interface Peer<In, Out, State = undefined>
  extends AsyncIterable<In>, AsyncDisposable {
  /** Unique among the connections of this process. */
  readonly id: number;
  /** The peer's address: `192.0.2.7:4242`, `[2001:db8::1]:4242`, or `unix#4` and `memory#4` with the id. */
  readonly address: string;
  /** Its address as the road tells it. */
  readonly remoteAddr: Deno.Addr;
  /** Our address as the road tells it. */
  readonly localAddr: Deno.Addr;
  /** The URL of the endpoint that it came in by, or that it was dialled at. */
  readonly endpoint: string;
  /** What the handler's `open` returned. */
  readonly state: State;
  /** What the road proved about it, such as its certificate; undefined where it proves nothing. */
  readonly identity: PeerIdentity | undefined;
  /** What was agreed on by the hello; undefined if there was none. */
  readonly agreement: Agreement | undefined;
  /** Aborted when the connection begins to end; the reason is the {@linkcode Ending}. */
  readonly signal: AbortSignal;
  /** How it ended, or undefined while it lives. */
  readonly ending: Ending | undefined;
  /** Resolves when it has ended, both directions closed. */
  readonly closed: Promise<Ending>;
  /** Whether more waits for the peer than the limit `slowBytes`. */
  readonly isSlow: boolean;
  /** Bytes that the kernel has not taken yet. */
  readonly bufferedBytes: number;
  /** The largest frame to accept from now on; small before a login, larger after it. */
  maxFrameBytes: number;
  /** Milliseconds of silence after which it is cut off; shorter for a peer that has promised to say something. */
  idleMs: number;
  /** The messages as a web stream, for `pipeTo` and friends; ten times slower than the handler. */
  readonly readable: ReadableStream<In>;
  /** A web stream to send by; it waits while the peer is slow. */
  readonly writable: WritableStream<Out>;

  /**
   * Queues a message; all of one turn of the event loop leaves in one write.
   *
   * @returns Whether to go on: false if the peer is slow (wait for {@linkcode Peer.drained}) or the connection is ending
   * (the message is then dropped, and `ending` says why).
   * @throws {LocalProtocolError} If the message cannot be put into the wire; nothing is sent.
   */
  send(message: Out): boolean;
  /** Resolves once the peer is no longer slow. Rejects with {@linkcode ConnectionEndedError} if it ends before. */
  drained(options?: WaitOptions): Promise<void>;
  /**
   * The next message, or undefined once the connection has ended. For handlers that are loops and for `open`; one call
   * at a time.
   *
   * @throws {RemoteProtocolError} If the peer sent something else; `recoverable` tells whether the next call may succeed.
   */
  receive(): Promise<In | undefined>;
  /**
   * Sends what is queued, tells the peer that no more comes, waits a bounded time for it to close too, and closes.
   * Resolves when that is done; called by the connection's own handler, when the last word was sent.
   */
  close(reason?: string): Promise<void>;
  /** Sends what is queued and tells the peer that no more comes; what it still sends can be received. */
  end(): Promise<void>;
  /** Closes at once and drops what is queued. */
  abort(reason?: string): void;
}

/**
 * The connection ended before what was waited for. `ending` says how.
 *
 * @example Usage
 * ```ts
 * import { ConnectionEndedError } from "./peer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new ConnectionEndedError("send to 127.0.0.1:4242", {
 *   cause: "timed out",
 *   reason: "idle for 60000 ms",
 * });
 * assertEquals(
 *   error.message,
 *   "Cannot send to 127.0.0.1:4242: the connection ended: timed out (idle for 60000 ms)",
 * );
 * ```
 */
export class ConnectionEndedError extends Error {
  /** The name that stack traces show. */
  override readonly name = "ConnectionEndedError";
  /** How the connection ended. */
  readonly ending: Ending;

  /** Creates the error for `action`, such as `send to 127.0.0.1:4242`. */
  constructor(action: string, ending: Ending) {
    const why = ending.reason === undefined ? "" : ` (${ending.reason})`;
    super(
      `Cannot ${action}: the connection ended: ${ending.cause}${why}`,
      ending.error === undefined ? undefined : { cause: ending.error },
    );
    this.ending = ending;
  }
}

/**
 * Thrown by a handler to turn a peer away: its connection ends with the cause `local closed` and the message as reason,
 * after what was sent to it. Anything else that a handler throws counts as a failure of the handler.
 *
 * @example Usage
 * ```ts
 * import { connect, lines, Refusal, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "memory:club",
 *   wire,
 *   handler: {
 *     async open(peer) {
 *       if (await peer.receive() === "sesame") return;
 *       peer.send("members only");
 *       throw new Refusal("wrong password");
 *     },
 *     message() {},
 *   },
 * });
 * await using client = await connect({ to: server.endpoint, wire });
 * client.send("please");
 * assertEquals(await client.receive(), "members only");
 * assertEquals(await client.receive(), undefined);
 * ```
 */
export class Refusal extends Error {
  /** The name that stack traces show. */
  override readonly name = "Refusal";
}
