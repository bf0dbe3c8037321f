/** Whether some byte of a word of four is no ASCII. */
const HIGH_BITS = 0x80808080;

/**
 * Applies the 4-byte key at `keyAt` to `bytes[start, end)` in place (RFC 6455, 5.3), a word at a time: four bytes at once
 * take half as long as four times one. Masking and unmasking are the same.
 *
 * @param view A view of exactly `bytes`.
 * @returns Whether all of the result is ASCII, which costs next to nothing to tell here.
 */
export function applyMask(
  view: DataView,
  bytes: Uint8Array,
  start: number,
  end: number,
  keyAt: number,
): boolean {
  const key = view.getInt32(keyAt);
  let seen = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at) ^ key;
    seen |= word;
    view.setInt32(at, word);
  }
  for (let index = keyAt; at < end; at++, index++) {
    const byte = bytes[at]! ^ bytes[index]!;
    seen |= byte;
    bytes[at] = byte;
  }
  return (seen & HIGH_BITS) === 0;
}

/** Whether `bytes[start, end)` is ASCII; `view` is of exactly `bytes`. */
export function isAscii(
  view: DataView,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  let seen = 0;
  let at = start;
  for (; at + 4 <= end; at += 4) seen |= view.getInt32(at);
  for (; at < end; at++) seen |= bytes[at]!;
  return (seen & HIGH_BITS) === 0;
}
