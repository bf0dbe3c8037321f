import { EndpointError } from "./endpoint_error.ts";
import type { Transport } from "./transport.ts";

/** The QUIC road. */
export const quicTransport: Transport = {
  listen(endpoint) {
    throw new EndpointError("listen on", endpoint, "unsupported");
  },
  connect(endpoint) {
    throw new EndpointError("connect to", endpoint, "unsupported");
  },
};
