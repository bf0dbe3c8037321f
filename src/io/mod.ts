export {
  applySocketOptions,
  effectiveOptions,
  resetConnection,
} from "./apply_socket_options.ts";
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
export { TlsError, type TlsFault } from "./tls/tls_error.ts";
export type {
  ClientCertificateOptions,
  ClientTlsOptions,
  RevokedCertificates,
  ServerTlsOptions,
  TlsCertificate,
  TlsEngineName,
  TlsVersion,
} from "./tls/options.ts";
export type { SocketAddresses } from "./ffi/descriptor.ts";
export { type SocketInfo, socketInfo } from "./socket_info.ts";
export type {
  SocketOptionName,
  SocketOptionValue,
} from "./socket_option_table.ts";
export type {
  AskedOptions,
  SocketOptions,
  SocketOptionState,
  SocketReport,
} from "./socket_options.ts";
export type {
  ConnectedSocket,
  ListeningSocket,
  NodeSocket,
} from "./socket_target.ts";
export { type QuicClose, QuicConnection } from "./quic/connection.ts";
export { type EarlyData, EarlyDataGuard } from "./quic/early_data.ts";
export {
  DEFAULT_QUIC_LIMITS,
  type QuicLimits,
  type QuicListenOptions,
  type QuicOptions,
} from "./quic/options.ts";
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
export type {
  DeflateOptions,
  WebSocketConnectOptions,
  WebSocketListenOptions,
  WebSocketOptions,
} from "./web_socket/options.ts";
