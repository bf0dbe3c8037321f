/** How far a transfer is, as either side counts. */
export interface TransferCounts {
  /** Entries that were announced. */
  entries: number;
  /** Entries of which it is known what became of them. */
  settledEntries: number;
  /** Bytes of all files that were announced. */
  bytes: number;
  /** Bytes that the receiver has and has verified, now or from before. */
  settledBytes: number;
  /** Bytes that crossed the wire as leaves. */
  movedBytes: number;
}

/** The counts of a transfer that begins. */
export function noCounts(): TransferCounts {
  return {
    entries: 0,
    settledEntries: 0,
    bytes: 0,
    settledBytes: 0,
    movedBytes: 0,
  };
}
