import type { Endpoint } from "./endpoint.ts";
import { memoryTransport } from "./memory.ts";
import { netTransport } from "./net.ts";
import type { Transport } from "./transport.ts";
import { unixTransport } from "./unix.ts";

/** The road of each scheme. */
export const transports: Record<Endpoint["scheme"], Transport> = {
  tcp: netTransport,
  tls: netTransport,
  unix: unixTransport,
  memory: memoryTransport,
};
