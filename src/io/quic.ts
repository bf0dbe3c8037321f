import { EndpointError } from "./endpoint_error.ts";
import {
  DEFAULT_ALPN,
  limitStreamless,
  QuicConnection,
} from "./quic/connection.ts";
import { dialQuic } from "./quic/dial.ts";
import { listenQuic, type QuicEndpoint } from "./quic/server.ts";
import { refuseOptions } from "./quic/support.ts";
import type { ServerTlsOptions } from "./tls/options.ts";
import type { Transport } from "./transport.ts";

/** Milliseconds that what was sent last has to arrive after both directions of a stream have come to their end. */
const LAST_WORDS_MS = 1000;

/** The QUIC road: each stream is a connection. A client's QUIC connection has one. */
export const quicTransport: Transport = {
  listen(endpoint, { tls, quic = {}, reusePort = false }) {
    try {
      refuseOptions<Partial<ServerTlsOptions>>(tls ?? {}, [
        ["clients"],
        ["names"],
        ["engine", "node"],
        ["maxVersion", "TLSv1.2"],
      ]);
      refuseOptions({ reusePort }, [["reusePort", true]]);
      if (tls === undefined) {
        throw new TypeError("A certificate and a key are needed");
      }
      const { cert, key, alpn = [DEFAULT_ALPN] } = tls;
      return listenQuic(endpoint as QuicEndpoint, quic, {
        cert,
        key,
        alpnProtocols: alpn,
      });
    } catch (error) {
      throw new EndpointError("listen on", endpoint, error);
    }
  },

  async connect(endpoint, options) {
    const { signal } = options;
    try {
      const { quic } = await dialQuic(endpoint as QuicEndpoint, options);
      const connection = new QuicConnection(quic, true);
      // A server may allow no stream for as long as it likes.
      const giveUp = () => connection.close();
      signal?.addEventListener("abort", giveUp, { once: true });
      const conn = await connection.openStream(signal);
      signal?.removeEventListener("abort", giveUp);
      limitStreamless(connection, LAST_WORDS_MS);
      return conn;
    } catch (error) {
      signal?.throwIfAborted();
      throw new EndpointError("connect to", endpoint, error);
    }
  },
};
