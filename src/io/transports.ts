import type { Endpoint } from "./endpoint.ts";
import { memoryTransport } from "./memory.ts";
import { netTransport } from "./net.ts";
import { quicTransport } from "./quic.ts";
import type { Transport } from "./transport.ts";
import { unixTransport } from "./unix.ts";
import { webSocketOver } from "./web_socket.ts";

/** The road that each scheme of endpoint takes. */
export type Transports = Record<Endpoint["scheme"], Transport>;

const roads: Omit<Transports, "ws" | "wss"> = {
  tcp: netTransport,
  tls: netTransport,
  quic: quicTransport,
  unix: unixTransport,
  memory: memoryTransport,
};

/** The real roads. */
export const systemTransports: Transports = {
  ...roads,
  ws: webSocketOver(roads.tcp),
  wss: webSocketOver(roads.tls),
};
