import {
  ExtData,
  ExtensionCodec,
  type ExtensionCodecType,
} from "npm:@msgpack/msgpack@3.1.3";

/**
 * An application's MessagePack extension type.
 *
 * @typeParam T The class of its values.
 */
export interface MsgpackExtensionType<T = unknown> {
  /** Its number, 0 to 127. */
  type: number;
  /** The bytes of a value of this type; undefined for any other value. */
  encode: (value: unknown) => Uint8Array | undefined;
  /** The value that the bytes stand for; throws if there is none. */
  decode: (data: Uint8Array) => T;
}

/**
 * An extension of a type that the codec was not told about, as it came; it is sent as it is, too.
 *
 * @example Usage
 * ```ts
 * import { UnknownExtension } from "./msgpack_extensions.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(new UnknownExtension(5, new Uint8Array([1])).type, 5);
 * ```
 */
export class UnknownExtension {
  /** The number of its type, -128 to 127; negative ones are reserved by MessagePack. */
  readonly type: number;
  /** Its bytes. */
  readonly data: Uint8Array;

  /** Takes the bytes as they are, without a copy. */
  constructor(type: number, data: Uint8Array) {
    this.type = type;
    this.data = data;
  }
}

/**
 * The extensions for the library: the application's types, the timestamp, and everything else as
 * {@linkcode UnknownExtension}.
 *
 * @throws {RangeError} If the number of a type is not an integer from 0 to 127, or is there twice.
 */
export function extensionCodec(
  types: readonly MsgpackExtensionType[],
): ExtensionCodecType<undefined> {
  const codec = new Extensions();
  const seen = new Set<number>();
  for (const { type, encode, decode } of types) {
    if (!Number.isInteger(type) || type < 0 || type > 127 || seen.has(type)) {
      throw new RangeError(
        `Cannot register extension as 'type' must be an unused integer from 0 to 127: current value is ${type}`,
      );
    }
    seen.add(type);
    codec.register({
      type,
      encode: (value) => encode(value) ?? null,
      decode: (data) => decode(data),
    });
  }
  return codec;
}

class Extensions extends ExtensionCodec {
  override tryToEncode(value: unknown, context: undefined): ExtData | null {
    if (value instanceof UnknownExtension) {
      return new ExtData(value.type, value.data);
    }
    // The library would send it as some date.
    if (value instanceof Date) refuseInvalidDate(value);
    return super.tryToEncode(value, context);
  }

  override decode(data: Uint8Array, type: number, context: undefined): unknown {
    const value = super.decode(data, type, context);
    if (value instanceof ExtData) return new UnknownExtension(type, data);
    if (value instanceof Date) refuseInvalidDate(value);
    return value;
  }
}

function refuseInvalidDate(date: Date): void {
  if (Number.isNaN(+date)) {
    throw new RangeError("Date is out of range");
  }
}
