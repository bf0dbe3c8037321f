/**
 * MessagePack for files of our own: the standard library's `@std/msgpack`,
 * with types. It throws on ext types and overflows the stack on deep nesting:
 * bytes from a peer go through the codec of `src/proto` instead.
 *
 * @module
 */

// @ts-types="./msgpack.d.ts"
export { decode } from "npm:deno-std@1.4.0/msgpack/decode.js";
// @ts-types="./msgpack.d.ts"
export { encode } from "npm:deno-std@1.4.0/msgpack/encode.js";
export type { ValueMap, ValueType } from "./msgpack.d.ts";
