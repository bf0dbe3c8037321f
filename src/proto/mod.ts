export { formatAddress, sourceNetwork, unmapAddress } from "./address.ts";
export { bytes } from "./codec/bytes.ts";
export type { Codec } from "./codec/codec.ts";
export { json } from "./codec/json.ts";
export { msgpack } from "./codec/msgpack.ts";
export { text } from "./codec/text.ts";
export {
  LocalProtocolError,
  ProtocolError,
  type ProtocolErrorCode,
  type ProtocolErrorOptions,
  RemoteProtocolError,
} from "./errors.ts";
export { delimited, lines } from "./framing/delimited.ts";
export { fixedSize } from "./framing/fixed_size.ts";
export {
  DEFAULT_MAX_FRAME_BYTES,
  type Deframer,
  type Framing,
  type FramingOptions,
  type Wire,
} from "./framing/framing.ts";
export { lengthPrefixed } from "./framing/length_prefixed.ts";
export { raw } from "./framing/raw.ts";
export { varintPrefixed } from "./framing/varint_prefixed.ts";
export { Timer, TimerWheel } from "./timer_wheel.ts";
export { TokenBucket } from "./token_bucket.ts";
