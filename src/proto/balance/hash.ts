/** Spreads the bits of a 32-bit number over all of it: the finalizer of MurmurHash3. */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ h >>> 16, 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13, 0xc2b2ae35);
  return (h ^ h >>> 16) >>> 0;
}

/** Hashes a text to 32 bits, as MurmurHash3 hashes 32-bit words; one word a UTF-16 code unit. Not for secrets. */
export function hashText(text: string, seed: number): number {
  let h = seed | 0;
  for (let at = 0; at < text.length; at++) {
    let k = Math.imul(text.charCodeAt(at), 0xcc9e2d51);
    k = Math.imul(k << 15 | k >>> 17, 0x1b873593);
    h ^= k;
    h = Math.imul(h << 13 | h >>> 19, 5) + 0xe6546b64 | 0;
  }
  return mix32(h ^ text.length);
}
