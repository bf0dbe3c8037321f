import type { Candidate } from "../resilience/balance.ts";

/** A backend as a {@linkcode BalancePolicy} sees it. */
export interface BalanceCandidate extends Candidate {
  /** What it is known by; unique among the candidates. */
  readonly name: string;
  /** Its share of the connections, relative to the others; 1 to 256. */
  readonly weight: number;
  /** The weight that it has at this moment: less than `weight` while it starts slowly. */
  readonly currentWeight: number;
  /** Connections that it has. */
  readonly active: number;
  /** Whether it may be chosen this time: it has room, and this connection has not failed there. */
  readonly isOpen: boolean;
}

/** What a policy may go by. */
export interface BalanceRequest {
  /** What hashing policies hash, such as the address of the client; without it they draw at random. */
  readonly key?: string | undefined;
}

/** What a policy has chosen. */
export interface BalanceChoice<C> {
  /** The backend. */
  readonly candidate: C;
  /** Why, in a few words, for logs. */
  readonly why: string;
}

/** How long a backend took to answer, and what it had to do meanwhile. */
export interface BalanceSample {
  /** Milliseconds until it answered. */
  readonly latencyMs: number;
  /** Connections that it had when this one began, this one included. */
  readonly active: number;
}

/**
 * Chooses a backend for each connection. Pure: time and chance are parameters, and what it remembers comes from the calls
 * alone, so that the same calls lead to the same choices. At least one candidate is open. The same candidates come in the
 * same order each time, unless some have joined or left.
 */
export interface BalancePolicy {
  /** Chooses among the candidates that are open; `random` yields numbers in [0, 1). */
  choose<C extends BalanceCandidate>(
    request: BalanceRequest,
    candidates: readonly C[],
    nowMs: number,
    random: () => number,
  ): BalanceChoice<C>;
  /** A connection of `candidate` has begun, or has ended: its `active` is another. */
  moved?(candidate: BalanceCandidate): void;
  /** `candidate` has answered, or a connection has ended that it had not answered for as long. */
  answered?(
    candidate: BalanceCandidate,
    sample: BalanceSample,
    nowMs: number,
  ): void;
  /** A backend has joined, or takes connections again. */
  rejoined?(candidate: BalanceCandidate): void;
  /** Forgets a backend that has left. */
  forget?(name: string): void;
}

/** Those that may be chosen. */
export function openOnes<C extends BalanceCandidate>(
  candidates: readonly C[],
): C[] {
  return candidates.filter(({ isOpen }) => isOpen);
}
