import { isIP, isIPv4 } from "node:net";
import type { PeerCertificate } from "../../io/peer_identity.ts";

/** A name that a certificate is valid for, of one of the four kinds that are in use (RFC 5280, 4.2.1.6). */
export interface CertificateName {
  /** What kind of name it is. */
  readonly type: "dns" | "ip" | "uri" | "email";
  /** The name in the form that certificates hold. */
  readonly value: string;
}

const MAX_DNS_NAME_CHARACTERS = 253;
const LABEL_REGEXP = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const URI_REGEXP = /^([a-z][a-z0-9+.-]*:\/\/[^\s/][^\s]*|urn:[^\s]+)$/i;
const EMAIL_REGEXP = /^[^\s@]+@[^\s@]+$/;

/**
 * Tells which kind of name a text is: an IP address (IPv6 with or without brackets), a URI (`spiffe://…`), a mail
 * address, or a DNS name, whose first label may be `*`. DNS names come out in lower case and as ASCII.
 *
 * @throws {TypeError} If it is none of them.
 *
 * @example Usage
 * ```ts
 * import { parseCertificateName } from "./certificate_names.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(parseCertificateName("[::1]"), { type: "ip", value: "::1" });
 * assertEquals(parseCertificateName("Bücher.example").value, "xn--bcher-kva.example");
 * assertThrows(() => parseCertificateName("localhost:8080"), TypeError);
 * ```
 */
export function parseCertificateName(text: string): CertificateName {
  const address = text.replace(/^\[(.*)\]$/, "$1");
  if (isIP(address) !== 0 && !address.includes("%")) {
    return { type: "ip", value: canonicalAddress(address) };
  }
  if (URI_REGEXP.test(text)) return { type: "uri", value: text };
  if (EMAIL_REGEXP.test(text)) return { type: "email", value: text };
  const value = dnsName(text);
  if (value === undefined) {
    throw new TypeError(
      `Cannot use a name that is no DNS name, IP address, URI or mail address: current value is ${
        JSON.stringify(text)
      }`,
    );
  }
  return { type: "dns", value };
}

/** One way to write each address, so that equal ones are equal texts. */
function canonicalAddress(address: string): string {
  if (isIPv4(address)) return address;
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

function dnsName(text: string): string | undefined {
  const wildcard = text.startsWith("*.") ? "*." : "";
  const rest = text.slice(wildcard.length).replace(/\.$/, "");
  if (/[^\p{L}\p{M}\p{N}._-]/u.test(rest)) return undefined;
  // Names in other scripts become ASCII, and "1.2.3" is taken for the address that it is elsewhere.
  const url = URL.parse(`http://${rest}`);
  if (url === null || isIPv4(url.hostname)) return undefined;
  const name = wildcard + url.hostname;
  const isSound = name.length <= MAX_DNS_NAME_CHARACTERS &&
    url.hostname.split(".").every((label) => LABEL_REGEXP.test(label));
  return isSound ? name : undefined;
}

/**
 * Tells whether a certificate is valid for a name. As in RFC 9525, the subject's common name counts for nothing, and
 * `*` stands for one whole label at the left, never for an address.
 *
 * @throws {TypeError} If `name` is no name.
 *
 * @example Usage
 * ```ts
 * import { matchesCertificateName } from "./certificate_names.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const names = { dns: ["*.example.org"], ip: ["::1"], uri: [], email: [] };
 * assertEquals(matchesCertificateName(names, "hub.example.org"), true);
 * assertEquals(matchesCertificateName(names, "a.hub.example.org"), false);
 * assertEquals(matchesCertificateName(names, "[0:0:0:0:0:0:0:1]"), true);
 * ```
 */
export function matchesCertificateName(
  names: PeerCertificate["names"],
  name: string,
): boolean {
  const { type, value } = parseCertificateName(name);
  if (type === "ip") {
    return names.ip.some((address) =>
      isIP(address) !== 0 && canonicalAddress(address) === value
    );
  }
  if (type !== "dns") return names[type].includes(value);
  return names.dns.some((pattern) => matchesDnsName(pattern, value));
}

function matchesDnsName(pattern: string, name: string): boolean {
  const lower = pattern.toLowerCase().replace(/\.$/, "");
  if (lower === name) return true;
  const suffix = lower.slice(1);
  // A lone label after the star would make one certificate valid for a whole top-level domain.
  if (!lower.startsWith("*.") || !suffix.slice(1).includes(".")) return false;
  const dot = name.indexOf(".");
  return dot > 0 && name.slice(dot) === suffix;
}
