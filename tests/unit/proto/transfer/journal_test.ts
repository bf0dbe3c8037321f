import { assertEquals } from "@std/assert";
import { ByteWriter } from "../../../../src/bytes/writer.ts";
import {
  JOURNAL_MAGIC,
  type JournalRecord,
  replayJournal,
  writeRecord,
} from "../../../../src/proto/transfer/journal.ts";

const FILE = {
  path: "a/ü",
  size: 5 * 262_144 - 1,
  mtimeMs: -12_345,
  temporary: "t-0",
};
const hash = (of: number) => new Uint8Array(32).fill(of + 1);

function journal(...records: JournalRecord[]): Uint8Array {
  const writer = new ByteWriter();
  writer.set(JOURNAL_MAGIC);
  for (const record of records) writeRecord(record, writer);
  return writer.bytes.slice(0, writer.length);
}

const RECORDS: JournalRecord[] = [
  { type: "begin", id: 1, ...FILE },
  { type: "leaf", id: 1, leaf: 0, hash: hash(0) },
  { type: "begin", id: 2, ...FILE, path: "b" },
  { type: "leaf", id: 2, leaf: 4, hash: hash(4) },
  { type: "leaf", id: 1, leaf: 2, hash: hash(2) },
  { type: "synced", id: 1, count: 1 },
  { type: "leaf", id: 1, leaf: 3, hash: hash(3) },
  { type: "end", id: 2 },
];

Deno.test("replayJournal() tells what is there of files that are not complete", () => {
  const { partials, soundBytes } = replayJournal(journal(...RECORDS));
  assertEquals(soundBytes, journal(...RECORDS).length);
  assertEquals(partials.length, 1);
  const [file] = partials;
  assertEquals(file?.identity, FILE);
  const there = [0, 1, 2, 3, 4, 5].map((leaf) => file?.hash(leaf)?.[0]);
  assertEquals(there, [1, undefined, 3, 4, undefined, undefined]);
  assertEquals(file?.unsynced, [2, 3]);
});

Deno.test("replayJournal() reads a journal up to where it is torn, at every byte", () => {
  const whole = journal(...RECORDS);
  const ends = RECORDS.map((_, count) =>
    journal(...RECORDS.slice(0, count + 1)).length
  );
  for (let length = 0; length <= whole.length; length++) {
    const { soundBytes } = replayJournal(whole.subarray(0, length));
    const sound = Math.max(
      length < JOURNAL_MAGIC.length ? 0 : JOURNAL_MAGIC.length,
      ...ends.filter((end) => end <= length),
    );
    assertEquals(soundBytes, sound, `${length} bytes`);
  }
});

Deno.test("replayJournal() stops at a record with a wrong bit", () => {
  const whole = journal(...RECORDS);
  for (let at = JOURNAL_MAGIC.length; at < whole.length; at++) {
    const damaged = whole.slice();
    damaged[at]! ^= 1 << at % 8;
    const { soundBytes } = replayJournal(damaged);
    assertEquals(soundBytes <= at, true, `byte ${at}`);
  }
});

Deno.test("replayJournal() takes nothing from what is no journal", () => {
  assertEquals(replayJournal(new Uint8Array(0)).partials, []);
  assertEquals(replayJournal(new Uint8Array(1000)).partials, []);
  const leafless = journal({ type: "leaf", id: 9, leaf: 0, hash: hash(0) });
  assertEquals(replayJournal(leafless).partials, []);
});

Deno.test("replayJournal() passes over leaves that the file cannot have", () => {
  const { partials } = replayJournal(journal(
    { type: "begin", id: 1, ...FILE },
    { type: "leaf", id: 1, leaf: 0xffffffff, hash: hash(0) },
  ));
  assertEquals(partials[0]?.records, 0);
});
