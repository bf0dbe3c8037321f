import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";

/** An algorithm that frames can be compressed with: gzip (RFC 1952), deflate in zlib form (RFC 1950), brotli (RFC 7932) or zstd (RFC 8878). */
export type Compression = "gzip" | "deflate" | "brotli" | "zstd";

/** How to compress with one algorithm, and back. Both directions work on the whole payload at once, synchronously. */
export interface Algorithm {
  /** What a frame that it compressed starts with. */
  readonly marker: number;
  /** The level that is used unless told: the most that is saved for less than 0.1 ms on a few KB. */
  readonly defaultLevel: number;
  readonly minLevel: number;
  readonly maxLevel: number;
  compress(bytes: Uint8Array, level: number): Uint8Array;
  /**
   * Inflates to at most `mostBytes`; throws if there are more. May return less than was compressed if `bytes` are cut
   * off: brotli and zstd do not tell on this runtime.
   */
  inflate(bytes: Uint8Array, mostBytes: number): Uint8Array;
}

/** The window that RFC 8878 asks every decoder for, 8 MiB; a frame that wants more memory is refused. */
const ZSTD_WINDOW_LOG = 23;

const SMALLEST_CHUNK_BYTES = 64;
const LARGEST_CHUNK_BYTES = 65536;

/** Output in chunks of the size that is needed: the default of 16 KB is most of the memory that a small message costs. */
function inflating(
  mostBytes: number,
): { maxOutputLength: number; chunkSize: number } {
  return {
    maxOutputLength: mostBytes,
    chunkSize: Math.max(
      SMALLEST_CHUNK_BYTES,
      Math.min(mostBytes, LARGEST_CHUNK_BYTES),
    ),
  };
}

/** All algorithms by name. */
export const ALGORITHMS: Readonly<Record<Compression, Algorithm>> = {
  gzip: {
    marker: 1,
    defaultLevel: 6,
    minLevel: 1,
    maxLevel: 9,
    compress: (bytes, level) => gzipSync(bytes, { level }),
    inflate: (bytes, mostBytes) => gunzipSync(bytes, inflating(mostBytes)),
  },
  deflate: {
    marker: 2,
    defaultLevel: 6,
    minLevel: 1,
    maxLevel: 9,
    compress: (bytes, level) => deflateSync(bytes, { level }),
    inflate: (bytes, mostBytes) => inflateSync(bytes, inflating(mostBytes)),
  },
  brotli: {
    marker: 3,
    defaultLevel: 4,
    minLevel: 0,
    maxLevel: 11,
    compress: (bytes, level) =>
      brotliCompressSync(bytes, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: level,
          [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
        },
      }),
    inflate: (bytes, mostBytes) =>
      brotliDecompressSync(bytes, inflating(mostBytes)),
  },
  zstd: {
    marker: 4,
    defaultLevel: 3,
    minLevel: 1,
    maxLevel: 19,
    compress: (bytes, level) =>
      zstdCompressSync(bytes, {
        params: { [constants.ZSTD_c_compressionLevel]: level },
      }),
    inflate: (bytes, mostBytes) =>
      zstdDecompressSync(bytes, {
        ...inflating(mostBytes),
        params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG },
      }),
  },
};
