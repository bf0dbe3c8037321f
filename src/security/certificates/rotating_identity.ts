import { alarm, type Clock, systemClock } from "../../io/clock.ts";
import type { Timer } from "../../proto/timer_wheel.ts";
import type {
  Authority,
  IssueCertificateOptions,
  IssuedCertificate,
} from "./authority.ts";

/** Longest time between two looks at the time of day: timers stand still while a machine sleeps. */
const MAX_WAIT_MS = 60_000;
/** The part of its life after which a certificate is replaced. */
const RENEWED_AT = 2 / 3;
/** The part of its life between two tries, if one failed. */
const RETRIED_AFTER = 1 / 30;

/** Options of {@linkcode rotatingIdentity}. */
export interface RotatingIdentityOptions
  extends Omit<IssueCertificateOptions, "validMs" | "nowMs" | "purpose"> {
  /** Who signs. */
  authority: Authority;
  /** What it is good for. @default {"peer"} */
  purpose?: IssueCertificateOptions["purpose"] | undefined;
  /** How long each certificate lives, in milliseconds, at least 1,000. @default {3_600_000} */
  lifetimeMs?: number | undefined;
  /** Called with each new certificate, for a listener to take over; not with the first. */
  onRenew?: ((issued: IssuedCertificate) => void) | undefined;
  /** Called if a certificate cannot be renewed, for example because the authority has expired; it is tried again. */
  onError?: ((error: unknown) => void) | undefined;
  /** Where timers come from. @default {systemClock} */
  clock?: Clock | undefined;
  /** The time of day, in milliseconds since 1970. @default {Date.now} */
  timeOfDay?: (() => number) | undefined;
}

/**
 * A certificate that is replaced in memory before it expires; made by {@linkcode rotatingIdentity}.
 *
 * @example Two peers of one suite, each of which knows who the other is
 * ```ts
 * import { connect, createCa, lines, rotatingIdentity, serve, text } from "../../../mod.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const authority = await createCa();
 * const wire = lines(text());
 * using north = await rotatingIdentity({ authority, names: ["127.0.0.1", "spiffe://suite/north"], lifetimeMs: 3_600_000 });
 * using south = await rotatingIdentity({ authority, names: ["spiffe://suite/south"], lifetimeMs: 3_600_000 });
 * const caCerts = [authority.certPem];
 * await using server = await serve({
 *   listen: "tls://127.0.0.1:0",
 *   wire,
 *   tls: { cert: north.current.certPem, key: north.current.keyPem, clients: { caCerts } },
 *   handler: {
 *     message: (peer) => peer.send(String(peer.identity?.certificate?.names.uri)),
 *   },
 * });
 * await using client = await connect({
 *   to: server.endpoint,
 *   wire,
 *   tls: { cert: south.current.certPem, key: south.current.keyPem, caCerts },
 * });
 * client.send("who am I?");
 * assertEquals(await client.receive(), "spiffe://suite/south");
 * ```
 */
export class RotatingIdentity implements Disposable {
  readonly #options: RotatingIdentityOptions;
  readonly #clock: Clock;
  readonly #timeOfDay: () => number;
  readonly #lifetimeMs: number;
  #current: IssuedCertificate;
  #renewAtMs: number;
  #timer: Timer | undefined;
  #closed = false;

  /** Takes the first certificate; {@linkcode rotatingIdentity} makes it. */
  constructor(
    options: RotatingIdentityOptions,
    first: IssuedCertificate,
    nowMs: number,
  ) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#timeOfDay = options.timeOfDay ?? Date.now;
    this.#lifetimeMs = lifetimeOf(options);
    this.#current = first;
    this.#renewAtMs = nowMs + this.#lifetimeMs * RENEWED_AT;
    this.#wait();
  }

  /** The certificate and key to use at this moment. */
  get current(): IssuedCertificate {
    return this.#current;
  }

  /** Ends the renewing; the certificate that is there lives out its time. */
  close(): void {
    this.#closed = true;
    if (this.#timer !== undefined) this.#clock.cancel(this.#timer);
  }

  /** The same as {@linkcode close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #wait(): void {
    if (this.#closed) return;
    const waitMs = Math.max(0, this.#renewAtMs - this.#timeOfDay());
    this.#timer = alarm(this.#clock, Math.min(waitMs, MAX_WAIT_MS), () => {
      if (this.#timeOfDay() < this.#renewAtMs) this.#wait();
      else this.#renew();
    });
  }

  async #renew(): Promise<void> {
    const nowMs = this.#timeOfDay();
    try {
      const issued = await issue(this.#options, nowMs);
      if (this.#closed) return;
      this.#current = issued;
      this.#renewAtMs = nowMs + this.#lifetimeMs * RENEWED_AT;
      this.#options.onRenew?.(issued);
    } catch (error) {
      this.#renewAtMs = nowMs + this.#lifetimeMs * RETRIED_AFTER;
      if (!this.#closed) this.#options.onError?.(error);
    } finally {
      this.#wait();
    }
  }
}

/**
 * Gives a peer of a suite a certificate that lives for an hour, say, and is replaced in memory when two thirds of that
 * are over. There are no files, and nothing to revoke: what leaks is soon worth nothing.
 *
 * @throws {RangeError} If the lifetime is too short.
 * @throws {CertificateError} If the authority is not valid at this time.
 *
 * @example Usage
 * ```ts
 * import { createCa } from "./authority.ts";
 * import { rotatingIdentity } from "./rotating_identity.ts";
 * import { assertEquals } from "@std/assert";
 *
 * using identity = await rotatingIdentity({
 *   authority: await createCa(),
 *   names: ["hub-1.internal", "spiffe://example.org/hub"],
 *   lifetimeMs: 3_600_000,
 *   onRenew: ({ certPem, keyPem }) => {
 *     // Hand them to the listener.
 *   },
 * });
 * assertEquals(identity.current.certificate.names.uri, ["spiffe://example.org/hub"]);
 * ```
 */
export async function rotatingIdentity(
  options: RotatingIdentityOptions,
): Promise<RotatingIdentity> {
  const nowMs = (options.timeOfDay ?? Date.now)();
  return new RotatingIdentity(options, await issue(options, nowMs), nowMs);
}

function issue(
  options: RotatingIdentityOptions,
  nowMs: number,
): Promise<IssuedCertificate> {
  const { authority, names, commonName, organization, algorithm } = options;
  return authority.issue({
    names,
    commonName,
    organization,
    algorithm,
    purpose: options.purpose ?? "peer",
    validMs: lifetimeOf(options),
    nowMs,
  });
}

function lifetimeOf(
  { lifetimeMs = 3_600_000 }: RotatingIdentityOptions,
): number {
  // Certificates count whole seconds.
  if (lifetimeMs >= 1000) return lifetimeMs;
  throw new RangeError(
    `Cannot renew a certificate as 'lifetimeMs' must be at least 1000: current value is ${lifetimeMs}`,
  );
}
