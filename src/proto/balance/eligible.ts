import type { Backend } from "./backend.ts";

/** Those among whom is chosen. */
export interface Eligible {
  readonly backends: readonly Backend[];
  /** What is unusual about that. */
  readonly note?: string;
}

/**
 * Those who take connections: the ones that are up; backups if none of the others is; all of them, whatever their health, if
 * too few are up.
 */
export function eligible(
  all: readonly Backend[],
  panicThreshold: number,
  nowMs: number,
): Eligible {
  const ready = all.filter(({ isDraining }) => !isDraining);
  const primaries = ready.filter(({ backup }) => !backup);
  const backups = ready.filter(({ backup }) => backup);
  const isUp = (backend: Backend) => backend.isHealthy(nowMs);
  const up = primaries.filter(isUp);
  if (up.length > 0 && up.length >= primaries.length * panicThreshold) {
    return { backends: up };
  }
  const upBackups = backups.filter(isUp);
  if (up.length === 0 && upBackups.length > 0) {
    return { backends: upBackups, note: "backup" };
  }
  if (panicThreshold === 0) return { backends: up };
  const backends = primaries.length > 0 ? primaries : backups;
  return {
    backends,
    note: `panic: ${up.length} of ${backends.length} up`,
  };
}
