import type { Agreement } from "../proto/hello/agreement.ts";
import type { Connection } from "../io/connection.ts";
import {
  ConnectionEndedError,
  type Ending,
  type Peer,
  type WaitOptions,
} from "../io/peer.ts";
import type { PeerIdentity } from "../io/peer_identity.ts";
import { iterate } from "../io/iterate.ts";
import { readableOf, writableOf } from "../io/streams.ts";
import type { RequestOptions, Requests } from "./requests.ts";
import { MAX_UNREAD, Unread } from "./unread.ts";

/**
 * A client's connection: a {@linkcode Peer} that can also ask. Messages that answer no request are read by `receive`,
 * by a `for await` loop, or go to the `message` callback if one was given. Made by {@linkcode connect}.
 *
 * @example Usage
 * ```ts
 * import { connect, inOrder, lines, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using server = await serve({
 *   listen: "memory:clock",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(`${line}: noon`) },
 * });
 * await using client = await connect({
 *   to: server.endpoint,
 *   wire,
 *   correlate: inOrder(),
 * });
 * assertEquals(await client.request("time", { timeoutMs: 1000 }), "time: noon");
 * ```
 */
export class Client<In, Out = In> implements Peer<In, Out> {
  /** A client has no state of its own. */
  readonly state: undefined = undefined;
  readonly #connection: Connection<In, Out, undefined>;
  readonly #requests: Requests<In, Out> | undefined;
  readonly #unread: Unread<In> = new Unread();
  /** Why nothing can be asked although the server may still send. */
  #ended: Ending | undefined;

  /** Use {@linkcode connect}. */
  constructor(
    connection: Connection<In, Out, undefined>,
    requests: Requests<In, Out> | undefined,
  ) {
    this.#connection = connection;
    this.#requests = requests;
    // When the end begins, not when it is over: a callback that hangs must not hold up those who wait.
    connection.signal.addEventListener("abort", () => {
      this.#unread.end();
      const action = `get an answer from ${connection.address}`;
      requests?.fail(new ConnectionEndedError(action, connection.ending!));
    }, { once: true });
  }

  /** Takes a message that answers no request; the promise resolves when more may come. */
  accept(message: In): Promise<void> | undefined {
    return this.#unread.push(message);
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @throws {RequestTimeoutError} If none comes in time.
   * @throws {ConnectionEndedError} If the connection ends before.
   * @throws {LocalProtocolError} If the request cannot be put into the wire.
   */
  async request(request: Out, options: RequestOptions = {}): Promise<In> {
    if (this.#requests === undefined) {
      throw new TypeError(
        "Cannot request: connect() was not told how answers are known: current value of 'correlate' is undefined",
      );
    }
    options.signal?.throwIfAborted();
    if (this.ending === undefined) this.#connection.send(request);
    const ending = this.ending ?? this.#ended;
    if (ending !== undefined) {
      throw new ConnectionEndedError(`ask ${this.address}`, ending);
    }
    return await this.#requests.wait(request, options, () => {
      const unread = this.#unread.size;
      return unread < MAX_UNREAD
        ? ""
        : `, and reading waits for ${unread} unread messages to be received`;
    });
  }

  receive(): Promise<In | undefined> {
    return this.#unread.receive();
  }

  /** The messages that answer no request. */
  [Symbol.asyncIterator](): AsyncIterator<In> {
    return iterate(this);
  }

  get id(): number {
    return this.#connection.id;
  }

  get address(): string {
    return this.#connection.address;
  }

  get remoteAddr(): Deno.Addr {
    return this.#connection.remoteAddr;
  }

  get localAddr(): Deno.Addr {
    return this.#connection.localAddr;
  }

  get endpoint(): string {
    return this.#connection.endpoint;
  }

  get identity(): PeerIdentity | undefined {
    return this.#connection.identity;
  }

  get agreement(): Agreement | undefined {
    return this.#connection.agreement;
  }

  get signal(): AbortSignal {
    return this.#connection.signal;
  }

  get ending(): Ending | undefined {
    return this.#connection.ending;
  }

  get closed(): Promise<Ending> {
    return this.#connection.closed;
  }

  get bufferedBytes(): number {
    return this.#connection.bufferedBytes;
  }

  get isSlow(): boolean {
    return this.#connection.isSlow;
  }

  get maxFrameBytes(): number {
    return this.#connection.maxFrameBytes;
  }

  set maxFrameBytes(bytes: number) {
    this.#connection.maxFrameBytes = bytes;
  }

  get idleMs(): number {
    return this.#connection.idleMs;
  }

  set idleMs(ms: number) {
    this.#connection.idleMs = ms;
  }

  get readable(): ReadableStream<In> {
    return readableOf(this);
  }

  get writable(): WritableStream<Out> {
    return writableOf(this);
  }

  send(message: Out): boolean {
    return this.#connection.send(message);
  }

  drained(options?: WaitOptions): Promise<void> {
    return this.#connection.drained(options);
  }

  close(reason?: string): Promise<void> {
    return this.#connection.close(reason);
  }

  end(): Promise<void> {
    this.#ended = { cause: "local closed", reason: "nothing more is sent" };
    return this.#connection.end();
  }

  abort(reason?: string): void {
    this.#connection.abort(reason);
  }

  /** Closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
