import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import {
  AuthenticationError,
  type Authenticator,
  type Challenge,
  type Principal,
} from "./authentication.ts";
import { entriesOf, JsonFile } from "./json_file.ts";
import { checkName, checkRoles, normalizeName } from "./names.ts";

/** A machine that logs in with a secret that it shares with the server. */
export interface Device {
  /** At least 16 bytes, which never travel. */
  readonly secret: Uint8Array;
  /** What it may be. */
  readonly roles: readonly string[];
}

/** Where devices are kept. */
export interface Devices {
  /** The device of a name. */
  find(device: string): Promise<Device | undefined>;
}

/** Options of {@linkcode devicesFile}. */
export interface DevicesFileOptions {
  /** Called once for each state of the file that cannot be used; the last good one stays in use. */
  onFault?: (error: Error) => void;
}

/** Options of {@linkcode deviceLogin}. */
export interface DeviceLoginOptions {
  /** The devices. */
  devices: Devices;
  /** What devices call this server: an answer to another server's challenge is worth nothing here. */
  server: string;
}

/** What {@linkcode deviceProof} signs. */
export interface DeviceProofOptions {
  /** The secret that the device shares with the server. */
  secret: Uint8Array;
  /** The name of the device. */
  device: string;
  /** The name of the server that the device means to talk to; never what a peer says it is. */
  server: string;
  /** The challenge that came, in base64. */
  challenge: string;
}

const MIN_SECRET_BYTES = 16;
const NONCE_BYTES = 32;
const MAX_MAC_LENGTH = 64;
/** Key of the challenge in the memory of a login. */
const PENDING = Symbol("device challenge");

/** A challenge that waits for its answer. */
interface Pending {
  readonly device: string;
  readonly challenge: string;
}

/**
 * Logs in devices by HMAC-SHA256 over a challenge. Each login has a new challenge, which is good for one answer; names
 * that are not known get one too.
 *
 * @example Usage
 * ```ts
 * import { deviceLogin, deviceProof } from "./devices.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const secret = crypto.getRandomValues(new Uint8Array(32));
 * const door = deviceLogin({
 *   devices: { find: () => Promise.resolve({ secret, roles: ["sensor"] }) },
 *   server: "hub.example.org",
 * });
 * const context = {
 *   source: "192.0.2.1",
 *   identity: undefined,
 *   signal: new AbortController().signal,
 *   nowMs: 0,
 *   memory: new Map(),
 * };
 * const device = "thermometer-7";
 * const answer = await door.authenticate({ type: "device", device }, context);
 * const challenge = "challenge" in answer ? answer.challenge : "";
 * const mac = deviceProof({ secret, device, server: "hub.example.org", challenge });
 * const principal = await door.authenticate({ type: "device proof", device, mac }, context);
 * assertEquals(principal, { id: device, roles: ["sensor"], method: "device" });
 * ```
 */
export function deviceLogin(options: DeviceLoginOptions): Authenticator {
  const { devices, server } = options;
  const decoy = randomBytes(NONCE_BYTES);
  return {
    name: "device",
    accepts: ["device", "device proof"],
    async authenticate(
      credentials,
      { memory },
    ): Promise<Principal | Challenge> {
      if (credentials.type === "device") {
        const challenge = randomBytes(NONCE_BYTES).toBase64();
        const pending: Pending = { device: credentials.device, challenge };
        memory.set(PENDING, pending);
        return { challenge };
      }
      if (credentials.type !== "device proof") {
        throw new AuthenticationError("denied", "it is no device");
      }
      const { device, mac } = credentials;
      const pending = memory.get(PENDING) as Pending | undefined;
      memory.delete(PENDING);
      if (pending?.device !== device) {
        throw denied("the device has no challenge");
      }
      const name = normalizeName(device);
      const known = await devices.find(name);
      const expected = sign({
        secret: known?.secret ?? decoy,
        device,
        server,
        challenge: pending.challenge,
      });
      if (!isSame(mac, expected) || known === undefined) {
        throw denied(
          known === undefined ? "no device has this name" : "wrong answer",
        );
      }
      return { id: name, roles: known.roles, method: "device" };
    },
  };
}

/**
 * The answer of a device to a challenge, in base64: the HMAC-SHA256, under its secret, of these four lines in UTF-8,
 * without a line feed at the end: `portolan device login 1`, the server, the device, the challenge.
 *
 * @example
 * ```ts
 * import { deviceProof } from "./devices.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const mac = deviceProof({
 *   secret: new Uint8Array(32),
 *   device: "thermometer-7",
 *   server: "hub.example.org",
 *   challenge: "AAAA",
 * });
 * assertEquals(mac.length, 44);
 * ```
 */
export function deviceProof(options: DeviceProofOptions): string {
  return sign(options).toBase64();
}

/**
 * Devices from a JSON file, which is read again when it has changed:
 * `{"thermometer-7": {"secret": "base64…", "roles": ["sensor"]}}`.
 *
 * @throws {Error} If the file cannot be read, does not make sense, or everybody may read it.
 *
 * @example
 * ```ts
 * import { devicesFile } from "./devices.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ prefix: "portolan-" });
 * const secret = new Uint8Array(32).toBase64();
 * await Deno.writeTextFile(path, JSON.stringify({ door: { secret } }));
 * assertEquals((await (await devicesFile(path)).find("door"))?.roles, []);
 * await Deno.remove(path);
 * ```
 */
export async function devicesFile(
  path: string,
  options: DevicesFileOptions = {},
): Promise<Devices> {
  const file = await JsonFile.open(path, {
    ...options,
    parse: parseDevices,
    format: (devices) => Object.fromEntries(devices),
    secret: () => true,
  });
  return { find: async (device) => (await file.read()).get(device) };
}

function parseDevices(json: unknown): Map<string, Device> {
  return new Map(
    entriesOf(json, "the devices").map(([key, value]) => {
      const name = checkName(key, "device name");
      const { secret, roles = [] } = Object.fromEntries(
        entriesOf(value, `device "${name}"`),
      );
      const bytes = typeof secret === "string" ? decodeBase64(secret) : null;
      if (bytes === null || bytes.length < MIN_SECRET_BYTES) {
        throw new TypeError(
          `Cannot read device "${name}": its secret must be ` +
            `${MIN_SECRET_BYTES} bytes or more in base64`,
        );
      }
      return [name, { secret: bytes, roles: checkRoles(roles, name) }];
    }),
  );
}

function sign(
  { secret, device, server, challenge }: DeviceProofOptions,
): Uint8Array {
  return createHmac("sha256", secret)
    .update(`portolan device login 1\n${server}\n${device}\n${challenge}`)
    .digest();
}

function isSame(mac: string, expected: Uint8Array): boolean {
  const given = mac.length > MAX_MAC_LENGTH ? null : decodeBase64(mac);
  return given?.length === expected.length && timingSafeEqual(given, expected);
}

/** Without the runtime's error, which would quote the text. */
function decodeBase64(text: string): Uint8Array | null {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    return null;
  }
}

function denied(detail: string): AuthenticationError {
  return new AuthenticationError("denied", detail);
}
