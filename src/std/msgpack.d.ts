/** A value that MessagePack can hold. */
export type ValueType =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly ValueType[]
  | ValueMap;

/** A map of names to values. */
export interface ValueMap {
  /** The value of a name. */
  [index: string | number]: ValueType;
}

/** Decodes one value; throws `EvalError` unless `data` is exactly one. */
export function decode(data: Uint8Array): ValueType;

/** Encodes one value. */
export function encode(object: ValueType): Uint8Array<ArrayBuffer>;
