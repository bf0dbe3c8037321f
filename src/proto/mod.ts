export { formatAddress, sourceNetwork, unmapAddress } from "./address.ts";
export * from "./balance/mod.ts";
export { bytes, type BytesOptions } from "./codec/bytes.ts";
export { checksummed } from "./codec/checksummed.ts";
export type { Codec } from "./codec/codec.ts";
export { compressed, type CompressedOptions } from "./codec/compressed.ts";
export type { Compression } from "./codec/compression.ts";
export { json, type JsonOptions } from "./codec/json.ts";
export { msgpack, type MsgpackOptions } from "./codec/msgpack.ts";
export {
  type MsgpackExtensionType,
  UnknownExtension,
} from "./codec/msgpack_extensions.ts";
export { text } from "./codec/text.ts";
export type {
  SchemaResult,
  StandardSchema,
  Validate,
} from "./codec/validate.ts";
export { DEFAULT_WORK_LIMITS, type WorkLimits } from "./codec/work_limits.ts";
export {
  checkWire,
  type CheckWireOptions,
  type WireReport,
} from "./codec_kit.ts";
export {
  LocalProtocolError,
  ProtocolError,
  type ProtocolErrorCode,
  type ProtocolErrorOptions,
  RemoteProtocolError,
} from "./errors.ts";
export { FrameReader } from "./frame_reader.ts";
export { encodeFrame, writeFrame } from "./frame_writer.ts";
export {
  delimited,
  type DelimitedOptions,
  lines,
  type LinesOptions,
} from "./framing/delimited.ts";
export { fixedSize, type FixedSizeOptions } from "./framing/fixed_size.ts";
export {
  DEFAULT_MAX_FRAME_BYTES,
  type Deframer,
  type Framing,
  type FramingOptions,
  type Wire,
} from "./framing/framing.ts";
export {
  lengthPrefixed,
  type LengthPrefixedOptions,
} from "./framing/length_prefixed.ts";
export { raw } from "./framing/raw.ts";
export { varintPrefixed } from "./framing/varint_prefixed.ts";
export {
  type HelloFraming,
  Negotiated,
  negotiated,
  type NegotiatedOptions,
} from "./hello.ts";
export type { Agreed, Agreement, Terms } from "./hello/agreement.ts";
export {
  HelloError,
  type HelloErrorCode,
  type HelloErrorOptions,
} from "./hello/error.ts";
export {
  Hello,
  type HelloParts,
  type HelloRole,
  type HelloSecrets,
} from "./hello/handshake.ts";
export { formatIp, Networks, parseIp } from "./ip.ts";
export type {
  NatEnding,
  NatEntry,
  NatEvent,
  NatProtocol,
  NatRefusal,
} from "./nat/events.ts";
export {
  embedIpv4,
  extractIpv4,
  WELL_KNOWN_PREFIX,
} from "./nat/ipv4_embedded.ts";
export { Nat } from "./nat/nat.ts";
export { Nat64, type Nat64Options } from "./nat/nat64.ts";
export { type Ipv6Prefix, Nptv6, readIpv6Prefix } from "./nat/nptv6.ts";
export {
  DEFAULT_NAT_LIMITS,
  DEFAULT_NAT_TIMEOUTS,
  NAT_TYPES,
  type NatBehavior,
  type NatForward,
  type NatLimits,
  type NatOptions,
  type NatTimeouts,
  type NatType,
  type NatTypeBehavior,
} from "./nat/options.ts";
export type { TcpState } from "./nat/tcp_state.ts";
export type {
  ProxyAddress,
  ProxyHeader,
  ProxyTls,
} from "./proxy_protocol/header.ts";
export {
  type ReadProxyHeader,
  readProxyHeader,
  type ReadProxyHeaderOptions,
} from "./proxy_protocol/read.ts";
export {
  writeProxyHeader,
  type WriteProxyHeaderOptions,
} from "./proxy_protocol/write.ts";
export * from "./resilience/mod.ts";
export { Timer, TimerWheel } from "./timer_wheel.ts";
export { type ClientHello, readClientHello } from "./tls/client_hello.ts";
export { TokenBucket } from "./token_bucket.ts";
export {
  type DedupeLimits,
  DEFAULT_DEDUPE_LIMITS,
} from "./rpc/dedupe_window.ts";
export {
  RequestLostError,
  RPC_CODES,
  RpcError,
  type RpcErrorObject,
  type RpcErrorOptions,
} from "./rpc/errors.ts";
export {
  type RpcId,
  type RpcMessage,
  rpcNotification,
  type RpcOutcome,
  type RpcRequest,
  type RpcResponse,
} from "./rpc/messages.ts";
export {
  DEFAULT_RPC_LIMITS,
  type RpcServerLimits,
} from "./rpc/server_machine.ts";
