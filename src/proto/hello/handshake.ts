import { ByteWriter } from "../../bytes/writer.ts";
import { ProtocolError } from "../errors.ts";
import { writeFrame } from "../frame_writer.ts";
import type { Deframer, Wire } from "../framing/framing.ts";
import {
  type Agreed,
  type Agreement,
  checkChoice,
  choose,
  type Terms,
} from "./agreement.ts";
import { HelloError } from "./error.ts";
import {
  type HelloKind,
  type HelloMessage,
  isHello,
  malformed,
  NONCE_BYTES,
  readChoice,
  readHello,
  readOffer,
  readProof,
  readRefusal,
  writeHello,
} from "./messages.ts";

/** Which side of a connection a {@linkcode Hello} speaks for. */
export type HelloRole = "client" | "server";

/** What a {@linkcode Hello} needs of its host. */
export interface HelloSecrets {
  /** 16 bytes that are random and used once. */
  readonly nonce: Uint8Array;
  /** HMAC-SHA-256 (RFC 2104). */
  readonly mac: (key: Uint8Array, data: Uint8Array) => Uint8Array;
}

/** What the hellos of one wire share. */
export interface HelloParts<In, Out> {
  /** What this side can do. */
  readonly terms: Terms;
  /** The key of the proofs. */
  readonly key: Uint8Array;
  /** The framing, as the hello uses it. */
  readonly wire: Wire<Uint8Array>;
  /** The largest first frame: beyond that of a hello if clients may do without one. */
  readonly maxFirstFrameBytes: number;
  /** What to talk by without a hello; undefined if there must be one. */
  readonly withoutHello: Agreed<In, Out> | undefined;
  /** What to talk by after `agreement`. */
  readonly agreed: (agreement: Agreement, role: HelloRole) => Agreed<In, Out>;
}

/** The parts that each side waits for, in order. */
const DUE = {
  client: ["choice", "proof"],
  server: ["offer", "proof"],
} as const satisfies Record<HelloRole, readonly HelloKind[]>;

const EMPTY = new Uint8Array(0);

/**
 * One side of one hello, without IO: bytes go in by `handle`, come out by `takeOutput`, and `outcome` tells when it is
 * done. After an error it is dead; `takeOutput` then has a last word for the peer. Made by `Negotiated.hello`.
 *
 * @example Usage
 * ```ts
 * import { json, lengthPrefixed, negotiated } from "../mod.ts";
 * import { createHmac } from "node:crypto";
 * import { assertEquals } from "@std/assert";
 *
 * const wire = negotiated({ framing: lengthPrefixed, codecs: [json()] });
 * const mac = (key: Uint8Array, data: Uint8Array) =>
 *   createHmac("sha256", key).update(data).digest();
 * const client = wire.hello("client", { nonce: new Uint8Array(16).fill(1), mac });
 * const server = wire.hello("server", { nonce: new Uint8Array(16).fill(2), mac });
 * server.handle(client.takeOutput());
 * client.handle(server.takeOutput());
 * server.handle(client.takeOutput());
 * assertEquals(client.outcome?.agreement?.codec, "json");
 * assertEquals(server.outcome?.agreement?.codec, "json");
 * ```
 */
export class Hello<In, Out = In> {
  /** What came of it; undefined until it is done. */
  outcome: Agreed<In, Out> | undefined;
  readonly #role: HelloRole;
  readonly #parts: HelloParts<In, Out>;
  readonly #secrets: HelloSecrets;
  readonly #deframer: Deframer;
  readonly #received: ByteWriter = new ByteWriter(0);
  readonly #output: ByteWriter = new ByteWriter(0);
  /** Start of what was received and not yet looked at. */
  #from = 0;
  /** Index in `DUE` of what comes next. */
  #step = 0;
  #offer: Uint8Array = EMPTY;
  #choice: Uint8Array = EMPTY;
  #agreement: Agreement | undefined;
  #failure: unknown;

  /** Use `Negotiated.hello`. */
  constructor(
    parts: HelloParts<In, Out>,
    role: HelloRole,
    secrets: HelloSecrets,
  ) {
    if (secrets.nonce.length !== NONCE_BYTES) {
      throw new RangeError(
        `Cannot say hello as 'nonce' must have ${NONCE_BYTES} bytes: current value has ${secrets.nonce.length}`,
      );
    }
    this.#role = role;
    this.#parts = parts;
    this.#secrets = secrets;
    this.#deframer = parts.wire.framing.deframer();
    if (role === "client") {
      this.#offer = this.#say("offer", {
        ...parts.terms,
        nonce: secrets.nonce.toHex(),
      });
    } else {
      this.#deframer.maxFrameBytes = parts.maxFirstFrameBytes;
    }
  }

  /** What came after the hello, or all that came if there was none: the first bytes for the wire agreed on. */
  get rest(): Uint8Array {
    return this.#received.view().subarray(this.#from);
  }

  /** Bytes to send; empty if there are none. */
  takeOutput(): Uint8Array {
    const bytes = this.#output.view().slice();
    this.#output.truncate();
    return bytes;
  }

  /**
   * Takes bytes of the peer.
   *
   * @throws {HelloError} If the two cannot agree. Send what `takeOutput` has, then close.
   */
  handle(bytes: Uint8Array): void {
    this.#received.set(bytes);
    this.#guard(() => {
      while (this.outcome === undefined) {
        const { view, start, end, next } = this.#nextFrame();
        if (next < 0) return;
        const payload = view.slice(start, end);
        if (this.#step === 0 && !isHello(payload)) this.#doWithout();
        else {
          this.#from = next;
          this.#hear(payload);
        }
      }
    });
  }

  /**
   * The peer sends nothing more.
   *
   * @throws {HelloError} (`ended`) If the hello is not done.
   */
  finish(): void {
    this.#guard(() => {
      if (this.outcome !== undefined) return;
      throw new HelloError("ended", "the peer ended the stream in the hello");
    });
  }

  #nextFrame(): { view: Uint8Array; start: number; end: number; next: number } {
    const view = this.#received.view();
    try {
      const next = this.#deframer.next(view, this.#from, view.length);
      const { start, end } = this.#deframer;
      return { view, start, end, next };
    } catch (cause) {
      if (!(cause instanceof ProtocolError)) throw cause;
      throw malformed(cause.message, cause);
    }
  }

  /** Runs `step`; the first failure is the last word. */
  #guard(step: () => void): void {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      step();
    } catch (error) {
      this.#failure = error;
      if (error instanceof HelloError && error.code !== "refused") {
        this.#say("refusal", refusalFields(error.code, error.message));
      }
      throw error;
    }
  }

  #doWithout(): void {
    const { withoutHello } = this.#parts;
    if (this.#role === "client" || withoutHello === undefined) {
      throw malformed("what came is not a hello");
    }
    this.outcome = withoutHello;
  }

  #hear(payload: Uint8Array): void {
    const message = readHello(payload);
    if (message.kind === "refusal") throw readRefusal(message);
    const due = DUE[this.#role][this.#step]!;
    if (message.kind !== due) {
      throw malformed(
        `the ${due} is due: current value is ${JSON.stringify(message.kind)}`,
      );
    }
    this.#step++;
    if (due === "offer") this.#answer(payload, message);
    else if (due === "choice") this.#accept(payload, message);
    else this.#verify(message);
  }

  /** The server's turn. */
  #answer(payload: Uint8Array, message: HelloMessage): void {
    this.#deframer.maxFrameBytes = this.#parts.wire.framing.maxFrameBytes;
    this.#offer = payload;
    this.#agreement = choose(this.#parts.terms, readOffer(message));
    this.#choice = this.#say("choice", {
      ...this.#agreement,
      nonce: this.#secrets.nonce.toHex(),
    });
    this.#prove();
  }

  /** The client's turn, half of it: what the server chose counts once it has proved that nobody meddled. */
  #accept(payload: Uint8Array, message: HelloMessage): void {
    this.#choice = payload;
    this.#agreement = checkChoice(this.#parts.terms, readChoice(message));
  }

  #verify(message: HelloMessage): void {
    const peer = this.#role === "client" ? "server" : "client";
    if (!equal(readProof(message), this.#proof(peer))) {
      throw new HelloError(
        "tampered",
        "the two sides saw different hellos, or have different keys",
      );
    }
    if (this.#role === "client") this.#prove();
    this.outcome = this.#parts.agreed(this.#agreement!, this.#role);
  }

  #prove(): void {
    this.#say("proof", { proof: this.#proof(this.#role).toHex() });
  }

  /** What `role` shows to prove what it saw: the offer and the choice, byte by byte. */
  #proof(role: HelloRole): Uint8Array {
    const transcript = new ByteWriter();
    transcript.utf8(`portolan/1 ${role}`);
    for (const payload of [this.#offer, this.#choice]) {
      transcript.u32(payload.length);
      transcript.set(payload);
    }
    return this.#secrets.mac(this.#parts.key, transcript.view());
  }

  #say(kind: HelloKind, fields: object): Uint8Array {
    const payload = writeHello(kind, fields);
    writeFrame(this.#parts.wire, payload, this.#output);
    return payload;
  }
}

/** The fields of a refusal, cut to a size that fits. */
export function refusalFields(
  code: string,
  reason: string,
): { code: string; reason: string } {
  return { code, reason: reason.slice(0, 300) };
}

/** Compares in a time that tells nothing about where the two differ. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ (b[i] ?? 0);
  return difference === 0;
}
