export { formatAddress, sourceNetwork, unmapAddress } from "./address.ts";
export { bytes, type BytesOptions } from "./codec/bytes.ts";
export type { Codec } from "./codec/codec.ts";
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
export { Timer, TimerWheel } from "./timer_wheel.ts";
export { TokenBucket } from "./token_bucket.ts";
