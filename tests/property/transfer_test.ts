import { assert, assertEquals } from "@std/assert";
import { ByteWriter } from "../../src/bytes/writer.ts";
import { seededRandom } from "../../src/bytes/random.ts";
import { RemoteProtocolError } from "../../src/proto/errors.ts";
import type { TransferEntry } from "../../src/proto/transfer/entry.ts";
import {
  JOURNAL_MAGIC,
  PartialFile,
  replayJournal,
} from "../../src/proto/transfer/journal.ts";
import {
  transferCodec,
  type TransferMessage,
} from "../../src/proto/transfer/messages.ts";
import { pathFault } from "../../src/proto/transfer/path.ts";
import { ReceiverMachine } from "../../src/proto/transfer/receiver_machine.ts";
import { SenderMachine } from "../../src/proto/transfer/sender_machine.ts";
import { LEAF_BYTES } from "../../src/proto/transfer/tree.ts";
import { sha256 } from "../../src/transfer/sha256.ts";
import { resolve } from "node:path";
import { checkProperty, fc } from "../support/property.ts";

const nasty = fc.array(
  fc.constantFrom(
    "..",
    ".",
    "",
    "/",
    "\\",
    "a",
    "\0",
    "~",
    "..a",
    "ä",
    "\u2024",
    ".portolan",
  ),
  { maxLength: 8 },
).map((parts) => parts.join("/"));

Deno.test("a path that pathFault() takes leads down, in any spelling", () => {
  checkProperty(fc.oneof(nasty, fc.string({ unit: "binary" })), (path) => {
    if (pathFault(path) !== undefined) return;
    const full = resolve("/root/folder", path);
    assertEquals(full, `/root/folder/${path}`);
    assert(!full.startsWith("/root/folder/.portolan/"));
  }, 2000);
});

Deno.test("transferCodec reads any bytes or refuses them as the peer's fault", () => {
  checkProperty(
    fc.tuple(fc.nat(18), fc.uint8Array({ maxLength: 200 })),
    ([type, rest]) => {
      try {
        const message = transferCodec.decode(Uint8Array.of(type, ...rest));
        const writer = new ByteWriter();
        transferCodec.encode(message, writer);
        assertEquals(transferCodec.decode(writer.view()), message);
      } catch (error) {
        if (!(error instanceof RemoteProtocolError)) throw error;
      }
    },
    3000,
  );
});

Deno.test("replayJournal() reads any bytes after its first", () => {
  checkProperty(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    const journal = new Uint8Array([...JOURNAL_MAGIC, ...bytes]);
    const { soundBytes } = replayJournal(journal);
    assert(soundBytes >= JOURNAL_MAGIC.length && soundBytes <= journal.length);
  });
});

/** What a receiver's disk holds, in memory: it outlives the connections. */
class MemoryStore {
  readonly files = new Map<string, Uint8Array>();
  readonly partials = new Map<
    string,
    { file: PartialFile; data: Uint8Array }
  >();
}

/** Files of the sender, by path. */
type Source = ReadonlyMap<string, Uint8Array>;

function entriesOf(source: Source): TransferEntry[] {
  return Array.from(source, ([path, { length: size }]) => ({
    path,
    kind: "file",
    mode: 0o644,
    mtimeMs: 7,
    size,
  }));
}

/** One connection between the two machines, cut after `steps` messages; bytes that were sent. */
class Session {
  readonly sender = new SenderMachine(sha256);
  readonly receiver = new ReceiverMachine({ sha256 });
  readonly #store: MemoryStore;
  readonly #source: Source;
  readonly #random: () => number;
  #toReceiver: TransferMessage[] = [];
  #toSender: TransferMessage[] = [];
  #nowMs = 0;

  constructor(source: Source, store: MemoryStore, random: () => number) {
    this.#source = source;
    this.#store = store;
    this.#random = random;
    for (const entry of entriesOf(source)) this.sender.add(entry);
    this.sender.listed();
  }

  /** Does one thing that chance chooses among those that can be done; false if there is none. */
  step(): boolean {
    // A short line: the window stays at two leaves.
    this.#nowMs += this.#random() * 0.1;
    const choices = [
      () => this.#work(),
      () =>
        this.#deliver(this.#toReceiver, (message) => this.#receive(message)),
      () =>
        this.#deliver(
          this.#toSender,
          (message) => this.sender.receive(message, this.#nowMs),
        ),
    ];
    const first = Math.floor(this.#random() * 3);
    return [0, 1, 2].some((at) => choices[(first + at) % 3]!());
  }

  #work(): boolean {
    const { sender } = this;
    const work = sender.work();
    if (work !== undefined) {
      const data = this.#source.get(work.entry.path)!;
      sender.read(data.subarray(work.offset, work.offset + work.length));
    }
    sender.flush(this.#nowMs);
    const sent = sender.output.splice(0);
    this.#toReceiver.push(...sent);
    return work !== undefined || sent.length > 0;
  }

  #deliver(
    queue: TransferMessage[],
    take: (message: TransferMessage) => void,
  ): boolean {
    const message = queue.shift();
    if (message !== undefined) take(message);
    return message !== undefined;
  }

  #receive(message: TransferMessage): void {
    const { receiver } = this;
    const { files, partials } = this.#store;
    const action = receiver.receive(message);
    switch (action?.type) {
      case "examine":
        receiver.examined(action.entries.map((entry) => {
          assertEquals(receiver.fault(entry), undefined);
          if (files.has(entry.path)) return { type: "present" };
          const leaves = partials.get(entry.path)?.file;
          return leaves === undefined
            ? { type: "absent" }
            : { type: "partial", leaves };
        }));
        break;
      case "write": {
        const { path, size, mtimeMs } = action.entry;
        const partial = partials.get(path) ?? {
          file: new PartialFile({ path, size, mtimeMs, temporary: path }),
          data: new Uint8Array(size),
        };
        partials.set(path, partial);
        partial.data.set(action.data, action.leaf * LEAF_BYTES);
        partial.file.add(action.leaf, action.hash);
        receiver.written(action.data.length);
        break;
      }
      case "store":
        files.set(action.entry.path, action.data.slice());
        receiver.stored({ index: action.index, outcome: "stored", detail: "" });
        break;
      case "commit": {
        const { path } = action.entry;
        files.set(path, partials.get(path)?.data ?? new Uint8Array(0));
        partials.delete(path);
        receiver.settle({ index: action.index, outcome: "stored", detail: "" });
        break;
      }
      case "finish":
        receiver.finish();
    }
    this.#toSender.push(...receiver.takeOutput());
  }
}

Deno.test("a transfer that is cut anywhere, any number of times, ends with the same files and sends little twice", () => {
  const lengths = fc.constantFrom(
    0,
    1,
    5000,
    LEAF_BYTES,
    LEAF_BYTES + 1,
    2 * LEAF_BYTES,
    5 * LEAF_BYTES - 3,
  );
  checkProperty(
    fc.tuple(fc.array(lengths, { maxLength: 8 }), fc.nat()),
    ([sizes, seed]) => {
      const random = seededRandom(seed);
      const source = new Map(sizes.map((size, at) => {
        const data = new Uint8Array(size).fill(at + 1);
        for (let i = 0; i < size; i += 1000) data[i] = random() * 256;
        return [`f${at}`, data];
      }));
      const store = new MemoryStore();
      const total = sizes.reduce((sum, size) => sum + size, 0);
      let moved = 0;
      for (let connections = 1;; connections++) {
        const session = new Session(source, store, random);
        const steps = connections > 20 ? Infinity : random() * 60;
        for (let n = 0; n < steps && session.step(); n++);
        moved += session.sender.counts.movedBytes;
        if (!session.sender.finished) {
          assert(steps < Infinity, "the two wait for each other");
          continue;
        }
        assertEquals(store.files.size, source.size);
        for (const [path, data] of source) {
          assertEquals(store.files.get(path), data);
        }
        const { counts } = session.sender;
        assertEquals(counts.settledBytes, total);
        assertEquals(counts.settledEntries, sizes.length);
        const most = total + 2 * LEAF_BYTES * (connections - 1);
        assert(moved <= most, `${moved} of ${most} bytes moved`);
        return;
      }
    },
    150,
  );
});

Deno.test("a sender refuses a receiver that makes no sense", () => {
  const entry = {
    path: "x",
    kind: "file",
    mode: 0,
    mtimeMs: 0,
    size: 9,
  } as const;
  const hashes = new Uint8Array(32);
  const forgeries: TransferMessage[] = [
    { type: "need", index: 1, needs: ["data"] },
    { type: "need", index: 0, needs: ["data", "data"] },
    { type: "have", index: 0, leaf: 1, hashes },
    { type: "have", index: 1, leaf: 0, hashes },
    { type: "ack", leaves: 1 },
    { type: "results", results: [{ index: 3, outcome: "stored", detail: "" }] },
    { type: "finished" },
    { type: "end" },
  ];
  for (const forgery of forgeries) {
    const sender = new SenderMachine(sha256);
    sender.add(entry);
    sender.listed();
    let refused = false;
    try {
      sender.receive(forgery, 0);
    } catch (error) {
      refused = error instanceof RemoteProtocolError;
    }
    assert(refused, forgery.type);
  }
});
