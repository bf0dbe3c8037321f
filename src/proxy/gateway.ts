import { randomBytes } from "node:crypto";

import { bytes } from "../proto/codec/bytes.ts";
import { raw } from "../proto/framing/raw.ts";
import {
  decodeResume,
  encodeResume,
  malformed,
  RESUME_PROTOCOL,
  TOKEN_BYTES,
} from "../proto/resume/messages.ts";
import { alarm, type Clock, systemClock } from "../io/clock.ts";
import { Refusal } from "../io/peer.ts";
import { connect, type ConnectOptions } from "../client/connect.ts";
import type { Client } from "../client/client.ts";
import { serve, type ServeOptions } from "../server/serve.ts";
import type { Server } from "../server/server.ts";
import { type Bridge, type GatewayPeer, pass, PlainBridge } from "./bridge.ts";
import { serveResumableSocket } from "./browser_files.ts";
import { ResumableSession, type ResumeOptions } from "./resumable_session.ts";

/** Options of {@linkcode gateway}. */
export interface GatewayOptions extends
  Omit<
    ServeOptions<Uint8Array, Uint8Array, Bridge>,
    "wire" | "handler" | "overLimit"
  > {
  /** Where the service is, as a URL. */
  to: string;
  /** How to connect to it. */
  connect?: Pick<
    ConnectOptions<Uint8Array, Uint8Array>,
    "tls" | "timeoutMs" | "limits"
  >;
  /** How sessions are kept for WebSocket clients that ask for it by the subprotocol `portolan.resume.1`. */
  resume?: ResumeOptions;
}

const WIRE = raw(bytes({ borrow: true }));

/** Milliseconds until a client that asked for sessions must say which. */
const START_MS = 10_000;

const RESUME_DEFAULTS: Required<ResumeOptions> = {
  keepMs: 60_000,
  maxSessions: 10_000,
  maxUnacknowledgedBytes: 1 << 20,
};

/**
 * Makes a service reachable by another road: a TCP, TLS or Unix service by WebSocket, so that browsers reach it, or a
 * WebSocket service by TCP. Bytes are passed on as they come, with back-pressure; over WebSocket each message is a piece
 * of the stream.
 *
 * A WebSocket client that asks for the subprotocol `portolan.resume.1` gets a session that outlives its connection:
 * {@linkcode ResumableSocket} is such a client.
 *
 * @throws {EndpointError} If an endpoint cannot be listened on.
 *
 * @example Usage
 * ```ts
 * import { gateway } from "./gateway.ts";
 * import { connect, lines, serve, text } from "../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = lines(text());
 * await using service = await serve({
 *   listen: "memory:service",
 *   wire,
 *   handler: { message: (peer, line) => peer.send(`${line}!`) },
 * });
 * await using door = await gateway({
 *   listen: "memory:door",
 *   to: service.endpoint,
 * });
 * await using client = await connect({ to: door.endpoint, wire });
 * client.send("ahoy");
 * assertEquals(await client.receive(), "ahoy!");
 * ```
 */
export async function gateway(
  options: GatewayOptions,
): Promise<Server<Uint8Array, Uint8Array, Bridge>> {
  const { to: _to, connect: _connect, resume: _resume, ...serving } = options;
  const { webSocket } = options;
  const sessions = new Sessions(options);
  const server = await serve<Uint8Array, Uint8Array, Bridge>({
    ...serving,
    wire: WIRE,
    // A client may wait for the service to speak first.
    limits: { firstMessageMs: Infinity, ...options.limits },
    webSocket: {
      http: serveResumableSocket,
      ...webSocket,
      protocols: [RESUME_PROTOCOL, ...webSocket?.protocols ?? []],
    },
    handler: {
      open: (peer) =>
        peer.identity?.subprotocol === RESUME_PROTOCOL
          ? sessions.open(peer)
          : openPlain(peer, options),
      message: (peer, data) => peer.state.fromPeer(data),
      finish: (peer) => peer.state.finish(),
      close: (peer) => peer.state.peerClosed(peer),
    },
  });
  void server.closed.then(() => sessions.end());
  return server;
}

async function openPlain(
  peer: GatewayPeer,
  options: GatewayOptions,
): Promise<Bridge> {
  const target = await dial(options, peer.signal, (data) => pass(peer, data));
  return new PlainBridge(peer, target);
}

function dial(
  { to, connect: connecting, clock, transports }: GatewayOptions,
  signal: AbortSignal,
  message: (data: Uint8Array) => unknown,
): Promise<Client<Uint8Array>> {
  return connect({
    ...connecting,
    to,
    wire: WIRE,
    message,
    signal,
    ...(clock === undefined ? {} : { clock }),
    ...(transports === undefined ? {} : { transports }),
  });
}

/** The sessions of one gateway that can be resumed. */
class Sessions {
  readonly #options: GatewayOptions;
  readonly #resume: Required<ResumeOptions>;
  readonly #clock: Clock;
  readonly #byToken = new Map<string, ResumableSession>();

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#resume = { ...RESUME_DEFAULTS, ...options.resume };
    this.#clock = options.clock ?? systemClock;
  }

  /** Begins a session, or goes on with one. */
  async open(peer: GatewayPeer): Promise<Bridge> {
    const late = alarm(
      this.#clock,
      START_MS,
      () => peer.abort(`no session was asked for within ${START_MS} ms`),
    );
    const first = await peer.receive();
    this.#clock.cancel(late);
    if (first === undefined) throw new Refusal("it left before it began");
    const message = decodeResume(first);
    if (message.type !== "start") {
      throw malformed(`the type ${message.type} at its beginning`);
    }
    const { token, number } = message;
    const session = token === undefined
      ? await this.#begin(peer)
      : this.#byToken.get(token.toHex());
    if (session === undefined) {
      throw this.#gone(peer, "nobody here knows this session");
    }
    session.attach(peer, number);
    return session;
  }

  async #begin(peer: GatewayPeer): Promise<ResumableSession> {
    if (this.#byToken.size >= this.#resume.maxSessions) {
      throw this.#gone(peer, "there are too many sessions");
    }
    const token = randomBytes(TOKEN_BYTES);
    const key = token.toHex();
    const session = new ResumableSession(
      token,
      this.#clock,
      this.#resume,
      () => this.#byToken.delete(key),
    );
    this.#byToken.set(key, session);
    try {
      const target = await dial(
        this.#options,
        peer.signal,
        (data) => session.fromTarget(data),
      );
      session.serve(target);
      return session;
    } catch (error) {
      session.end("the service cannot be reached");
      throw error;
    }
  }

  /** Ends all of them. */
  end(): void {
    for (const session of this.#byToken.values()) {
      session.end("the gateway shuts down");
    }
  }

  #gone(peer: GatewayPeer, reason: string): Refusal {
    peer.send(encodeResume({ type: "gone", reason }));
    return new Refusal(reason);
  }
}
