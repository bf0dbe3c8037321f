import type { Duplex } from "node:stream";
import type { SecureContext, TLSSocket } from "node:tls";
import type { PeerIdentity } from "../peer_identity.ts";
import type { TlsCertificateFacts } from "./certificate.ts";
import { authorityNames, whyRefused, whyUnverified } from "./judge.ts";
import {
  handshake,
  identityOf,
  type NodeTlsEngine,
  shownCertificate,
} from "./node_engine.ts";
import type { ServerTlsOptions, TlsCertificate } from "./options.ts";
import { TlsError } from "./tls_error.ts";

/** A client that got through. */
export interface Shaken {
  /** What carries its bytes. */
  readonly socket: TLSSocket;
  /** What the handshake proved. */
  identity(): PeerIdentity;
}

/** The server's side of handshakes by `node:tls`, after one set of options. */
export class NodeTlsServer {
  readonly #engine: NodeTlsEngine;
  readonly #options: ServerTlsOptions;
  readonly #context: SecureContext;
  readonly #names = new Map<string, SecureContext>();
  readonly #authorities: ReadonlySet<string>;

  /**
   * Reads certificates and keys.
   *
   * @throws {Error} If they cannot be used.
   */
  constructor(options: ServerTlsOptions, engine: NodeTlsEngine) {
    this.#engine = engine;
    this.#options = options;
    this.#context = this.#contextOf(options);
    for (const [name, certificate] of Object.entries(options.names ?? {})) {
      this.#names.set(name.toLowerCase(), this.#contextOf(certificate));
    }
    this.#authorities = authorityNames(options.clients?.caCerts ?? []);
  }

  #contextOf({ cert, key }: TlsCertificate): SecureContext {
    const { clients, minVersion, maxVersion } = this.#options;
    return this.#engine.createSecureContext({
      cert,
      key,
      minVersion: minVersion ?? "TLSv1.2",
      maxVersion: maxVersion ?? "TLSv1.3",
      ...(clients === undefined ? {} : { ca: clients.caCerts }),
    });
  }

  /**
   * Shakes hands with a client.
   *
   * @throws {TlsError} If that fails, or the client's certificate is refused.
   */
  async shake(raw: Duplex, signal?: AbortSignal): Promise<Shaken> {
    const { clients, alpn } = this.#options;
    const socket = this.#engine.accept(raw, {
      isServer: true,
      secureContext: this.#context,
      requestCert: clients !== undefined,
      // The engine tells a client that has none what is missing. What it thinks of one that was shown is asked below.
      rejectUnauthorized: clients !== undefined && clients.optional !== true,
      ...(alpn === undefined ? {} : { ALPNProtocols: alpn }),
      ...(this.#names.size === 0 ? {} : {
        SNICallback: (name, choose) => choose(null, this.#certificateOf(name)),
      }),
    });
    try {
      await handshake(socket, "client", signal);
      const certificate = this.#judge(socket);
      return { socket, identity: () => identityOf(socket, certificate) };
    } catch (error) {
      socket.destroy();
      raw.destroy();
      throw error;
    }
  }

  #certificateOf(name: string): SecureContext | undefined {
    const asked = name.toLowerCase();
    const parent = asked.slice(asked.indexOf("."));
    return this.#names.get(asked) ?? this.#names.get(`*${parent}`);
  }

  /** The client's certificate if it is to be trusted. */
  #judge(socket: TLSSocket): TlsCertificateFacts | undefined {
    const { clients } = this.#options;
    if (clients === undefined) return undefined;
    const certificate = shownCertificate(socket);
    if (certificate === undefined) {
      if (clients.optional === true) return undefined;
      throw new TlsError(
        "no certificate",
        "the client showed no certificate",
      );
    }
    const nowMs = Date.now();
    if (this.#engine.verifyError(socket) !== "") {
      throw whyUnverified(certificate, {
        peer: "client",
        authorities: this.#authorities,
        nowMs,
      });
    }
    const refused = whyRefused(certificate, clients, { peer: "client", nowMs });
    if (refused !== undefined) throw refused;
    return certificate;
  }
}
