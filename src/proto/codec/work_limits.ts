import { RemoteProtocolError } from "../errors.ts";

/**
 * The most work that one frame may cause when it is decoded. One budget is spent by a scan of the payload before any
 * decoder runs, so a small frame that describes a huge value is refused before memory is taken.
 */
export interface WorkLimits {
  /** Nesting of arrays and maps. @default {64} */
  maxDepth?: number;
  /** Values in all: scalars, keys, arrays and maps. @default {100_000} */
  maxNodes?: number;
  /** Estimated bytes of the decoded value: 16 a node, plus strings and binaries. @default {16_777_216} */
  maxDecodedBytes?: number;
}

/** The defaults of {@linkcode WorkLimits}. */
export const DEFAULT_WORK_LIMITS: Required<WorkLimits> = {
  maxDepth: 64,
  maxNodes: 100_000,
  maxDecodedBytes: 16 * 1024 * 1024,
};

/** What a node costs towards `maxDecodedBytes`, beside the bytes of its string. */
export const NODE_BYTES = 16;

/**
 * Fills in the defaults of `limits`.
 *
 * @throws {RangeError} If a limit is not a positive integer.
 */
export function resolveWorkLimits(
  limits: WorkLimits = {},
): Required<WorkLimits> {
  const resolved = { ...DEFAULT_WORK_LIMITS, ...limits };
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(
        `Cannot limit work as '${name}' must be a positive integer: current value is ${value}`,
      );
    }
  }
  return resolved;
}

/**
 * Spends the budget of one frame.
 *
 * @throws {RemoteProtocolError} (`too_complex`, recoverable) If a limit is exceeded.
 */
export function checkWork(
  limits: Required<WorkLimits>,
  depth: number,
  nodes: number,
  contentBytes: number,
): void {
  if (depth > limits.maxDepth) throw tooComplex("depth", limits.maxDepth);
  if (nodes > limits.maxNodes) throw tooComplex("nodes", limits.maxNodes);
  if (nodes * NODE_BYTES + contentBytes > limits.maxDecodedBytes) {
    throw tooComplex("decoded bytes", limits.maxDecodedBytes);
  }
}

function tooComplex(what: string, maximum: number): RemoteProtocolError {
  return new RemoteProtocolError(
    "too_complex",
    `Cannot decode message: ${what} exceed the limit of ${maximum}`,
    { recoverable: true },
  );
}
