import type { MaskSource } from "../../proto/web_socket/framing.ts";

/** Fills with what nobody can foresee. */
export type FillRandom = (bytes: Uint8Array<ArrayBuffer>) => void;

/** The machine's randomness. */
export const systemRandom: FillRandom = (bytes) =>
  void crypto.getRandomValues(bytes);

/** Masking keys drawn at once; one by one they would cost more than the frames. */
const KEYS = 1024;

/** Masking keys from `fill`. */
export function maskSource(fill: FillRandom): MaskSource {
  const keys = new Int32Array(KEYS);
  let next = KEYS;
  return () => {
    if (next === KEYS) {
      fill(new Uint8Array(keys.buffer));
      next = 0;
    }
    return keys[next++]!;
  };
}

/** The system's masking keys, for all connections. */
export const systemMasks: MaskSource = maskSource(systemRandom);
