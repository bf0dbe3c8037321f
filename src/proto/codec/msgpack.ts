import {
  Decoder,
  Encoder,
  type ExtensionCodecType,
} from "npm:@msgpack/msgpack@3.1.3";
import type { ByteWriter } from "../../bytes/writer.ts";
import { LocalProtocolError, RemoteProtocolError } from "../errors.ts";
import type { Codec } from "./codec.ts";
import { refuseForbiddenKeys } from "./forbidden_keys.ts";
import {
  extensionCodec,
  type MsgpackExtensionType,
} from "./msgpack_extensions.ts";
import { scanMsgpack } from "./msgpack_scan.ts";
import { type Validate, validator } from "./validate.ts";
import { resolveWorkLimits, type WorkLimits } from "./work_limits.ts";

/** An encoder whose buffer has grown beyond this is dropped after use. */
const RETAINED_BYTES = 1 << 20;

/** Options of {@linkcode msgpack}. */
export interface MsgpackOptions<In> {
  /** The most work that one frame may cause. @default {DEFAULT_WORK_LIMITS} */
  limits?: WorkLimits;
  /** Turns the decoded value into a message, or throws; a function or a Standard Schema. */
  validate?: Validate<In>;
  /** The application's extension types; timestamps are always there. */
  extensions?: readonly MsgpackExtensionType[];
  /**
   * Whether 64-bit integers are bigints, in both directions. Without it, integers beyond 2^53 are refused when read, and
   * bigints when written. With it, integers of a number beyond 32 bits are written as floats, so send bigints.
   *
   * @default {false}
   */
  useBigInt64?: boolean;
}

/**
 * Each frame is one [MessagePack](https://msgpack.org) value. A timestamp is a `Date` (to the millisecond), a binary a
 * `Uint8Array`, any other extension what `extensions` make of it or an `UnknownExtension`. Maps become plain objects, so a
 * key may be a text or a number; both are texts afterwards. Properties that are `undefined` are left out. Texts must be
 * UTF-8, and keys that reach for prototypes are refused as by `json()`. All errors are recoverable.
 *
 * @typeParam In What `validate` makes of a value; without it, what the peer is trusted to send.
 * @typeParam Out What this side sends.
 *
 * @example Usage
 * ```ts
 * import { msgpack } from "./msgpack.ts";
 * import { ByteWriter } from "../../bytes/writer.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const codec = msgpack();
 * const writer = new ByteWriter();
 * const message = { at: new Date(0), body: new Uint8Array([1, 2]) };
 * codec.encode(message, writer);
 * assertEquals(codec.decode(writer.view()), message);
 * ```
 */
export function msgpack<In = unknown, Out = In>(
  options: MsgpackOptions<In> = {},
): Codec<In, Out> {
  return new MsgpackCodec<In, Out>(options);
}

class MsgpackCodec<In, Out> implements Codec<In, Out> {
  readonly name = "msgpack";
  readonly text = false;
  readonly #limits: Required<WorkLimits>;
  readonly #validate: (value: unknown) => In;
  readonly #extensions: ExtensionCodecType<undefined>;
  readonly #useBigInt64: boolean;
  readonly #decoder: Decoder;
  #encoder: Encoder;

  constructor(options: MsgpackOptions<In>) {
    this.#limits = resolveWorkLimits(options.limits);
    this.#validate = validator(options.validate);
    this.#extensions = extensionCodec(options.extensions ?? []);
    this.#useBigInt64 = options.useBigInt64 ?? false;
    this.#decoder = new Decoder({
      extensionCodec: this.#extensions,
      useBigInt64: this.#useBigInt64,
      mapKeyConverter: toKey,
    });
    this.#encoder = this.#newEncoder();
  }

  decode(frame: Uint8Array, spentBytes = 0): In {
    const found = scanMsgpack(
      frame,
      this.#limits,
      this.#useBigInt64,
      spentBytes,
    );
    // The decoder hands out views, and the frame is a part of the receive buffer.
    const value = this.#decode(found.binary ? frame.slice() : frame);
    if (found.constructorKey) refuseForbiddenKeys(value);
    return this.#validate(value);
  }

  encode(value: Out, writer: ByteWriter): void {
    if (value === undefined) throw unencodable("no MessagePack for undefined");
    let encoded: Uint8Array<ArrayBuffer>;
    try {
      encoded = this.#encoder.encodeSharedRef(value);
    } catch (cause) {
      throw unencodable(cause instanceof Error ? cause.message : "", cause);
    }
    if (encoded.buffer.byteLength > RETAINED_BYTES) {
      this.#encoder = this.#newEncoder();
    }
    if (this.#useBigInt64) refuseWideIntegers(value);
    writer.set(encoded);
  }

  #decode(frame: Uint8Array): unknown {
    try {
      return this.#decoder.decode(frame);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : "";
      throw new RemoteProtocolError(
        "malformed",
        `Cannot decode MessagePack: ${reason}`,
        { recoverable: true, cause },
      );
    }
  }

  #newEncoder(): Encoder {
    return new Encoder({
      extensionCodec: this.#extensions,
      useBigInt64: this.#useBigInt64,
      // The scalar in the innermost array counts as a level too.
      maxDepth: this.#limits.maxDepth + 1,
      ignoreUndefined: true,
    });
  }
}

function toKey(key: unknown): string | number {
  if (typeof key === "string" || typeof key === "number") return key;
  if (typeof key === "bigint") return String(key);
  throw new TypeError(`Key is neither text nor number: it is ${typeof key}`);
}

/** Refuses bigints of more than 64 bits, which the encoder would cut. Called when it has shown that there is no cycle. */
function refuseWideIntegers(value: unknown): void {
  if (typeof value === "bigint") {
    const cut = value < 0n
      ? BigInt.asIntN(64, value)
      : BigInt.asUintN(64, value);
    if (cut !== value) throw unencodable(`${value} does not fit 64 bits`);
  } else if (Array.isArray(value)) {
    value.forEach(refuseWideIntegers);
  } else if (
    typeof value === "object" && value !== null && !ArrayBuffer.isView(value)
  ) {
    Object.values(value).forEach(refuseWideIntegers);
  }
}

function unencodable(reason: string, cause?: unknown): LocalProtocolError {
  return new LocalProtocolError(
    "unencodable",
    `Cannot encode MessagePack: ${reason}`,
    { recoverable: true, cause },
  );
}
