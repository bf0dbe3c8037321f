import { bytes } from "./codec/bytes.ts";
import { checksummed } from "./codec/checksummed.ts";
import type { Codec } from "./codec/codec.ts";
import { compressed } from "./codec/compressed.ts";
import { ALGORITHMS, type Compression } from "./codec/compression.ts";
import type { WorkLimits } from "./codec/work_limits.ts";
import { encodeFrame } from "./frame_writer.ts";
import { DEFAULT_MAX_FRAME_BYTES, type Wire } from "./framing/framing.ts";
import type { Agreed, Agreement, Terms } from "./hello/agreement.ts";
import {
  Hello,
  type HelloParts,
  type HelloRole,
  type HelloSecrets,
  refusalFields,
} from "./hello/handshake.ts";
import {
  isCount,
  isName,
  MAX_HELLO_BYTES,
  MIN_FRAME_BYTES,
  writeHello,
} from "./hello/messages.ts";

/** Makes a wire of a codec and a maximum: `lengthPrefixed`, `varintPrefixed`, `lines`, or a function around one. */
export type HelloFraming = <In, Out>(
  codec: Codec<In, Out>,
  options: { maxFrameBytes: number },
) => Wire<In, Out>;

/** Options of {@linkcode negotiated}. Lists are in the order of preference; the server's counts. */
export interface NegotiatedOptions<In, Out = In> {
  /** Where frames begin and end, in the hello and after it. Compression and checksums need one that any bytes suit. */
  framing: HelloFraming;
  /** Codecs that may be agreed on, known by their names. */
  codecs: readonly Codec<In, Out>[];
  /** Versions of the application's protocol; the highest in common is agreed on. @default {[1]} */
  versions?: readonly number[];
  /** Ways to compress frames; leave out `none` to insist. @default {["none"]} */
  compressions?: readonly (Compression | "none")[];
  /** Checksums in frames; leave out `none` to insist. @default {["none"]} */
  checksums?: readonly ("crc32c" | "none")[];
  /** The largest payload to agree on, in bytes; at least 1,024. @default {1_048_576} */
  maxFrameBytes?: number;
  /** Payloads shorter than this many bytes are not compressed. @default {512} */
  thresholdBytes?: number;
  /** The limits of the codecs, which inflating counts towards. @default {DEFAULT_WORK_LIMITS} */
  limits?: WorkLimits;
  /** A secret of both sides, 16 bytes or more: only who has it can say hello, or change one on its way. */
  key?: Uint8Array;
  /** On a server, what clients talk that begin without a hello; without it, they are refused. */
  withoutHello?: Codec<In, Out>;
}

/** The key of those who share no secret, so that both cases are one. */
const PUBLIC_KEY = new TextEncoder().encode("portolan/1");

const MIN_KEY_BYTES = 16;

/**
 * A wire whose codec, compression, checksum and frame limit are agreed on by a first exchange on each connection, the
 * hello: the client offers, the server chooses, and both prove that they saw the same, so that a box in between that
 * takes the better options out of an offer is noticed. `docs/hello.md` has its form and says what that is worth without
 * TLS or a key.
 *
 * @throws {RangeError} If an option is out of range, or a list is empty or says something twice.
 *
 * @example Usage
 * ```ts
 * import { json, lengthPrefixed, msgpack, negotiated } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = negotiated({
 *   framing: lengthPrefixed,
 *   versions: [1, 2],
 *   codecs: [msgpack(), json()],
 *   compressions: ["zstd", "gzip", "none"],
 * });
 * assertEquals(wire.terms.versions, [2, 1]);
 * ```
 */
export function negotiated<In, Out = In>(
  options: NegotiatedOptions<In, Out>,
): Negotiated<In, Out> {
  return new Negotiated(options);
}

/**
 * What one side is ready to agree on; made by {@linkcode negotiated}.
 *
 * @example Usage
 * ```ts
 * import { json, lengthPrefixed, negotiated } from "./mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = negotiated({ framing: lengthPrefixed, codecs: [json()] });
 * assertEquals(wire.terms.compressions, ["none"]);
 * ```
 */
export class Negotiated<In, Out = In> {
  /** What is offered, or chosen from. */
  readonly terms: Terms;
  readonly #options: NegotiatedOptions<In, Out>;
  readonly #parts: HelloParts<In, Out>;
  readonly #agreed = new Map<string, Agreed<In, Out>>();
  readonly #wires = new Map<string, Wire<In, Out>>();

  /** Use {@linkcode negotiated}. */
  constructor(options: NegotiatedOptions<In, Out>) {
    const terms = termsOf(options);
    const { framing, key = PUBLIC_KEY, withoutHello } = options;
    if (options.key !== undefined && key.length < MIN_KEY_BYTES) {
      throw new RangeError(
        `Cannot negotiate as 'key' must have at least ${MIN_KEY_BYTES} bytes: current value has ${key.length}`,
      );
    }
    if (options.key !== undefined && withoutHello !== undefined) {
      throw new TypeError(
        "Cannot negotiate with a 'key' that a client without a hello gets around: current value of 'withoutHello' is a codec",
      );
    }
    this.terms = terms;
    this.#options = options;
    this.#parts = {
      terms,
      key,
      wire: framing(bytes(), { maxFrameBytes: MAX_HELLO_BYTES }),
      maxFirstFrameBytes: withoutHello === undefined
        ? MAX_HELLO_BYTES
        : Math.max(MAX_HELLO_BYTES, terms.maxFrameBytes),
      withoutHello: withoutHello && {
        agreement: undefined,
        wire: framing(withoutHello, { maxFrameBytes: terms.maxFrameBytes }),
      },
      agreed: (agreement, role) =>
        role === "server"
          ? this.#shared(agreement)
          : { agreement, wire: this.#wire(agreement) },
    };
  }

  /** Begins one hello; `secrets` brings the chance and the hash that a core has none of. */
  hello(role: HelloRole, secrets: HelloSecrets): Hello<In, Out> {
    return new Hello(this.#parts, role, secrets);
  }

  /** What a server sends instead of a hello to turn a client away, framed. */
  refusal(code: string, reason: string): Uint8Array<ArrayBuffer> {
    const payload = writeHello("refusal", refusalFields(code, reason));
    return encodeFrame(this.#parts.wire, payload);
  }

  /** One object for equal agreements, and one wire for those that differ in their version alone: there are few. */
  #shared(agreement: Agreement): Agreed<In, Out> {
    const { version, ...rest } = agreement;
    const wireName = JSON.stringify(rest);
    const name = `${version} ${wireName}`;
    let agreed = this.#agreed.get(name);
    if (agreed === undefined) {
      const wire = this.#wires.get(wireName) ?? this.#wire(agreement);
      this.#wires.set(wireName, wire);
      agreed = { agreement, wire };
      this.#agreed.set(name, agreed);
    }
    return agreed;
  }

  #wire(agreement: Agreement): Wire<In, Out> {
    const { framing, codecs, thresholdBytes, limits } = this.#options;
    const { compression, checksum, maxFrameBytes } = agreement;
    let codec = codecs.find(({ name }) => name === agreement.codec)!;
    if (compression !== "none") {
      codec = compressed(codec, {
        algorithm: compression,
        ...(thresholdBytes === undefined ? {} : { thresholdBytes }),
        ...(limits === undefined ? {} : { limits }),
      });
    }
    if (checksum !== "none") codec = checksummed(codec);
    return framing(codec, { maxFrameBytes });
  }
}

function termsOf<In, Out>(options: NegotiatedOptions<In, Out>): Terms {
  const { maxFrameBytes = DEFAULT_MAX_FRAME_BYTES } = options;
  if (!Number.isSafeInteger(maxFrameBytes) || maxFrameBytes < MIN_FRAME_BYTES) {
    throw new RangeError(
      `Cannot negotiate as 'maxFrameBytes' must be an integer from ${MIN_FRAME_BYTES}: current value is ${maxFrameBytes}`,
    );
  }
  const compressionNames = ["none", ...Object.keys(ALGORITHMS)];
  return {
    versions: list("versions", options.versions ?? [1], isCount)
      .toSorted((a, b) => b - a),
    codecs: list("codecs", options.codecs.map(({ name }) => name), isName),
    compressions: list(
      "compressions",
      options.compressions ?? ["none"],
      (name) => compressionNames.includes(name),
    ),
    checksums: list(
      "checksums",
      options.checksums ?? ["none"],
      (name) => name === "none" || name === "crc32c",
    ),
    maxFrameBytes,
  };
}

function list<T>(
  name: string,
  items: readonly T[],
  accepts: (item: T) => boolean,
): readonly T[] {
  const isSound = items.length > 0 && new Set(items).size === items.length &&
    items.every(accepts);
  if (!isSound) {
    throw new RangeError(
      `Cannot negotiate as '${name}' must be a list of known names or numbers, each once: current value is ${
        JSON.stringify(items)
      }`,
    );
  }
  return items;
}
