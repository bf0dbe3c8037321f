export { type Clock, systemClock } from "./clock.ts";
export type { ConnectionLimitName } from "./connection_host.ts";
export { Counters, Latency, LATENCY_BOUNDS_MS } from "./counters.ts";
export { type Endpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";
export { EndpointError } from "./endpoint_error.ts";
export type {
  DrainNotice,
  Handler,
  HandlerCallbacks,
  HandlerFunction,
} from "./handler.ts";
export { type ConnectionLimits, DEFAULT_CONNECTION_LIMITS } from "./limits.ts";
export {
  ConnectionEndedError,
  type Ending,
  type EndingCause,
  type Peer,
  Refusal,
  type WaitOptions,
} from "./peer.ts";
export type { PeerCertificate, PeerIdentity } from "./peer_identity.ts";
export { systemTransports, type Transports } from "./transports.ts";
export type {
  Conn,
  Listener,
  RoadFraming,
  RoadMessages,
  Transport,
  TransportConnectOptions,
  TransportListenOptions,
} from "./transport.ts";
