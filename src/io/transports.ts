import type { Endpoint } from "./endpoint.ts";
import { memoryTransport } from "./memory.ts";
import { netTransport } from "./net.ts";
import type { Transport } from "./transport.ts";
import { unixTransport } from "./unix.ts";

/** The road that each scheme of endpoint takes. */
export type Transports = Record<Endpoint["scheme"], Transport>;

/** The real roads. */
export const systemTransports: Transports = {
  tcp: netTransport,
  tls: netTransport,
  unix: unixTransport,
  memory: memoryTransport,
};
