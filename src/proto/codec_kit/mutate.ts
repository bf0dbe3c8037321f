/** Bytes that lengths, types and texts turn on. */
const TELLING_BYTES = [
  0x00,
  0x01,
  0x0a,
  0x0d,
  0x22,
  0x5b,
  0x5c,
  0x7b,
  0x7f,
  0x80,
  0xc1,
  0xdd,
  0xdf,
  0xfe,
  0xff,
];

/** A copy of `bytes` with one to four random faults in it. */
export function mutate(bytes: Uint8Array, random: () => number): Uint8Array {
  let mutant = [...bytes];
  const below = (count: number): number => Math.floor(random() * count);
  for (let faults = 1 + below(4); faults > 0; faults--) {
    const at = below(mutant.length + 1);
    const telling = TELLING_BYTES[below(TELLING_BYTES.length)]!;
    switch (below(6)) {
      case 0:
        mutant[at] = (mutant[at] ?? 0) ^ 1 << below(8);
        break;
      case 1:
        mutant[at] = telling;
        break;
      case 2:
        mutant.splice(at, 0, telling);
        break;
      case 3:
        mutant.splice(at, 1 + below(8));
        break;
      case 4:
        mutant.splice(at, 0, ...mutant.slice(at, at + 1 + below(16)));
        break;
      default:
        mutant = mutant.slice(0, at);
    }
  }
  return Uint8Array.from(mutant);
}
