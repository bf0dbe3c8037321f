import type { Endpoint } from "./endpoint.ts";
import { memoryTransport } from "./memory.ts";
import { netTransport } from "./net.ts";
import { quicTransport } from "./quic.ts";
import type { Transport } from "./transport.ts";
import { unixTransport } from "./unix.ts";
import { webSocketOver } from "./web_socket.ts";

/** The road that each scheme of endpoint takes. */
export type Transports = Record<Endpoint["scheme"], Transport>;

/** The real roads. */
export const systemTransports: Transports = {
  tcp: netTransport,
  tls: netTransport,
  quic: quicTransport,
  ws: webSocketOver(netTransport),
  wss: webSocketOver(netTransport),
  unix: unixTransport,
  memory: memoryTransport,
};
