/** The only parts of a host that a pure core may use, all of them functions. */

declare class TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
  encodeInto(
    source: string,
    destination: Uint8Array,
  ): { read: number; written: number };
}

declare class TextDecoder {
  constructor(
    label?: string,
    options?: { fatal?: boolean; ignoreBOM?: boolean },
  );
  decode(
    input?: ArrayBufferView | ArrayBufferLike,
    options?: { stream?: boolean },
  ): string;
}
