import type { ByteWriter } from "../../bytes/writer.ts";
import type { Codec } from "../codec/codec.ts";
import type { Wire } from "../framing/framing.ts";
import { lengthPrefixed } from "../framing/length_prefixed.ts";
import { readEntry, type TransferEntry, writeEntry } from "./entry.ts";
import { CHUNK_RECORD_BYTES } from "./delta.ts";
import { FieldReader, malformed, writeInt, writeText } from "./fields.ts";
import { HASH_BYTES, LEAF_BYTES } from "./tree.ts";

/** The version of the protocol that this is. */
export const TRANSFER_VERSION = 1;

/** What a client wants of a server: to give files, to get them, or to see what there is. */
export type TransferVerb = "send" | "get" | "list";

/** What became of an entry. */
export type TransferOutcome =
  /** It is there, proven and on disk. */
  | "stored"
  /** It was there before: same kind, size and time. */
  | "present"
  /** The receiver does not take such a path, kind or place. */
  | "refused"
  /** The source changed while it was sent. */
  | "changed"
  /** The sender could not read it. */
  | "unreadable"
  /** The hash of the whole was another than the sender's. */
  | "mismatch"
  /** The receiver's disk or quota is full. */
  | "full"
  /** The receiver may not write there. */
  | "denied"
  /** Another sender is writing the same file. */
  | "busy"
  /** Something else went wrong. */
  | "failed";

/** What the receiver wants of a file. */
export type Need =
  | "nothing"
  | "data"
  /** What it has not in an old copy, of which it tells when it is asked. */
  | "delta";

/** What became of one entry, for the sender. */
export interface Result {
  /** Number of the entry. */
  readonly index: number;
  /** What became of it. */
  readonly outcome: TransferOutcome;
  /** More, in words for a person; may be empty. */
  readonly detail: string;
}

/** A leaf of a file. */
export interface LeafMessage {
  /** Which message. */
  readonly type: "leaf";
  /** Number of the entry. */
  readonly index: number;
  /** Number of the leaf. */
  readonly leaf: number;
  /** The leaf's hash; as received, a view of the receive buffer. */
  readonly hash: Uint8Array;
  /** Its bytes; as received, a view of the receive buffer. */
  readonly data: Uint8Array;
  /** How many of them crossed the wire. @default {all of them} */
  readonly movedBytes?: number;
}

/** A leaf of a file, some of which the receiver has in an old copy. */
export interface PatchMessage {
  /** Which message. */
  readonly type: "patch";
  /** Number of the entry. */
  readonly index: number;
  /** Number of the leaf. */
  readonly leaf: number;
  /** The leaf's hash; as received, a view of the receive buffer. */
  readonly hash: Uint8Array;
  /** How it is made, as `applyPatch` reads it; as received, a view of the receive buffer. */
  readonly patch: Uint8Array;
}

/** A message of the transfer protocol; docs/transfer-protocol.md describes each. */
export type TransferMessage =
  | {
    readonly type: "open";
    readonly version: number;
    readonly verb: TransferVerb;
    /** What to get or list, below the shared folder; empty for all of it. */
    readonly path: string;
  }
  | { readonly type: "welcome"; readonly version: number }
  | { readonly type: "entries"; readonly entries: readonly TransferEntry[] }
  | {
    readonly type: "listed";
    /** How many entries there were. */
    readonly count: number;
    /** Bytes of all files. */
    readonly bytes: number;
  }
  | {
    readonly type: "have";
    readonly index: number;
    /** Number of the first leaf. */
    readonly leaf: number;
    /** Hashes of that leaf and those after it, joined. */
    readonly hashes: Uint8Array;
  }
  | {
    readonly type: "need";
    /** Number of the first entry. */
    readonly index: number;
    /** For that entry and those after it. */
    readonly needs: readonly Need[];
  }
  | LeafMessage
  | {
    readonly type: "close";
    readonly index: number;
    /** Root of the file's tree of hashes. */
    readonly root: Uint8Array;
  }
  | ({ readonly type: "fail" } & Result)
  | {
    readonly type: "ack";
    /** How many leaves of this connection are settled altogether. */
    readonly leaves: number;
  }
  | { readonly type: "results"; readonly results: readonly Result[] }
  | {
    readonly type: "ask";
    /** The entry of which the chunks of the old copy are wanted. */
    readonly index: number;
  }
  | {
    readonly type: "chunks";
    readonly index: number;
    /** The average by which they were cut. */
    readonly averageBytes: number;
    /** Length and hash of each, joined; empty after the last. */
    readonly chunks: Uint8Array;
  }
  | PatchMessage
  | { readonly type: "end" }
  | { readonly type: "finished" }
  | { readonly type: "error"; readonly reason: string };

/** By their number on the wire, which they keep for ever. */
const TYPES: readonly TransferMessage["type"][] = [
  "open",
  "welcome",
  "entries",
  "listed",
  "have",
  "need",
  "leaf",
  "close",
  "fail",
  "ack",
  "results",
  "end",
  "finished",
  "error",
  "ask",
  "chunks",
  "patch",
];
const VERBS: readonly TransferVerb[] = ["send", "get", "list"];
const NEEDS: readonly Need[] = ["nothing", "data", "delta"];
const OUTCOMES: readonly TransferOutcome[] = [
  "stored",
  "present",
  "refused",
  "changed",
  "unreadable",
  "mismatch",
  "full",
  "denied",
  "busy",
  "failed",
];
const MAGIC = new TextEncoder().encode("portolan");

/** Bytes of a leaf's message beside its data. */
export const LEAF_HEADER_BYTES: number = 1 + 4 + 4 + HASH_BYTES;

/** The largest page of entries, hashes, needs or results that this side sends. */
export const PAGE_BYTES: number = 64 * 1024;

/** The messages of a file transfer as bytes. */
export const transferCodec: Codec<TransferMessage> = {
  name: "portolan-transfer",
  text: false,
  decode,
  encode,
};

/** How a file transfer is carried: messages of up to a leaf and its header, each after its length in four bytes. */
export const TRANSFER_WIRE: Wire<TransferMessage> = lengthPrefixed(
  transferCodec,
  { maxFrameBytes: LEAF_BYTES + LEAF_HEADER_BYTES },
);

function encode(message: TransferMessage, writer: ByteWriter): void {
  const { type } = message;
  writer.u8(TYPES.indexOf(type));
  switch (type) {
    case "open":
      writer.set(MAGIC);
      writer.u8(message.version);
      writer.u8(VERBS.indexOf(message.verb));
      return writeText(message.path, writer);
    case "welcome":
      return writer.u8(message.version);
    case "entries":
      for (const entry of message.entries) writeEntry(entry, writer);
      return;
    case "listed":
      writer.u32(message.count);
      return writeInt(message.bytes, writer);
    case "have":
      writer.u32(message.index);
      writer.u32(message.leaf);
      return writer.set(message.hashes);
    case "need":
      writer.u32(message.index);
      for (const need of message.needs) writer.u8(NEEDS.indexOf(need));
      return;
    case "leaf":
      writer.reserve(LEAF_HEADER_BYTES + message.data.length);
      writer.u32(message.index);
      writer.u32(message.leaf);
      writer.set(message.hash);
      return writer.set(message.data);
    case "ask":
      return writer.u32(message.index);
    case "chunks":
      writer.u32(message.index);
      writer.u32(message.averageBytes);
      return writer.set(message.chunks);
    case "patch":
      writer.reserve(LEAF_HEADER_BYTES + message.patch.length);
      writer.u32(message.index);
      writer.u32(message.leaf);
      writer.set(message.hash);
      return writer.set(message.patch);
    case "close":
      writer.u32(message.index);
      return writer.set(message.root);
    case "fail":
      return writeResult(message, writer);
    case "ack":
      return writeInt(message.leaves, writer);
    case "results":
      for (const result of message.results) writeResult(result, writer);
      return;
    case "error":
      return writeText(message.reason, writer);
  }
}

function decode(frame: Uint8Array): TransferMessage {
  const reader = new FieldReader(frame);
  const type = TYPES[reader.u8()];
  if (type === "leaf") return readLeaf(reader);
  const message = readMessage(type, reader);
  reader.end();
  return message;
}

function readLeaf(reader: FieldReader): LeafMessage {
  const index = reader.u32();
  const leaf = reader.u32();
  const hash = reader.bytes(HASH_BYTES);
  return { type: "leaf", index, leaf, hash, data: reader.rest() };
}

function readMessage(
  type: Exclude<TransferMessage["type"], "leaf"> | undefined,
  reader: FieldReader,
): TransferMessage {
  switch (type) {
    case "open": {
      const magic = reader.bytes(MAGIC.length);
      if (magic.some((byte, at) => byte !== MAGIC[at])) {
        throw malformed("it does not begin as a transfer does");
      }
      const version = reader.u8();
      const verb = pick(VERBS, reader.u8(), "verb");
      return { type, version, verb, path: reader.text() };
    }
    case "welcome":
      return { type, version: reader.u8() };
    case "entries":
      return { type, entries: all(reader, readEntry) };
    case "listed":
      return { type, count: reader.u32(), bytes: reader.size() };
    case "have": {
      const index = reader.u32();
      const leaf = reader.u32();
      const hashes = reader.rest().slice();
      if (hashes.length === 0 || hashes.length % HASH_BYTES !== 0) {
        throw malformed(`${hashes.length} bytes are no hashes`);
      }
      return { type, index, leaf, hashes };
    }
    case "need": {
      const index = reader.u32();
      const needs = all(reader, () => pick(NEEDS, reader.u8(), "need"));
      return { type, index, needs };
    }
    case "ask":
      return { type, index: reader.u32() };
    case "chunks": {
      const index = reader.u32();
      const averageBytes = reader.u32();
      const chunks = reader.rest().slice();
      if (chunks.length % CHUNK_RECORD_BYTES !== 0) {
        throw malformed(`${chunks.length} bytes are no chunks`);
      }
      return { type, index, averageBytes, chunks };
    }
    case "patch": {
      const index = reader.u32();
      const leaf = reader.u32();
      const hash = reader.bytes(HASH_BYTES);
      return { type, index, leaf, hash, patch: reader.rest() };
    }
    case "close":
      return {
        type,
        index: reader.u32(),
        root: reader.bytes(HASH_BYTES).slice(),
      };
    case "fail":
      return { type, ...readResult(reader) };
    case "ack":
      return { type, leaves: reader.size() };
    case "results":
      return { type, results: all(reader, readResult) };
    case "end":
    case "finished":
      return { type };
    case "error":
      return { type, reason: reader.text() };
    case undefined:
      throw malformed("its type is not known");
  }
}

function all<T>(reader: FieldReader, read: (reader: FieldReader) => T): T[] {
  const items: T[] = [];
  while (!reader.done) items.push(read(reader));
  return items;
}

function writeResult(result: Result, writer: ByteWriter): void {
  writer.u32(result.index);
  writer.u8(OUTCOMES.indexOf(result.outcome));
  writeText(result.detail, writer);
}

function readResult(reader: FieldReader): Result {
  const index = reader.u32();
  const outcome = pick(OUTCOMES, reader.u8(), "outcome");
  return { index, outcome, detail: reader.text() };
}

function pick<T>(values: readonly T[], at: number, what: string): T {
  const value = values[at];
  if (value === undefined) throw malformed(`no ${what} has the number ${at}`);
  return value;
}
