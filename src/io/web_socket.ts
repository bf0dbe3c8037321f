import { EndpointError } from "./endpoint_error.ts";
import type { Transport } from "./transport.ts";

/** The WebSocket road. */
export const webSocketTransport: Transport = {
  listen(endpoint) {
    throw new EndpointError("listen on", endpoint, "unsupported");
  },
  connect(endpoint) {
    throw new EndpointError("connect to", endpoint, "unsupported");
  },
};
