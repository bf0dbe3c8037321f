/** Who may send what, and to which groups. Exactly one of `allow` and `deny` is given. */
export interface Rule {
  /** Roles that may; `*` in a pattern stands for any text. */
  readonly allow?: readonly string[];
  /** Roles that may not. */
  readonly deny?: readonly string[];
  /** Patterns of the types of messages that it is about. @default {["*"]} */
  readonly types?: readonly string[];
  /** Patterns of groups; without it, the rule is about messages to any group and to none. */
  readonly groups?: readonly string[];
  /** What it is good for; shown where a decision is explained. */
  readonly note?: string;
}

/** What somebody wants to do. */
export interface Action {
  /** The type of the message. */
  readonly type: string;
  /** The groups (rooms, channels, topics) that it concerns; all of them have to be allowed. @default {[]} */
  readonly groups?: readonly string[];
}

/** What was decided, and by what. */
export interface Decision {
  /** Whether it may be done. */
  readonly allowed: boolean;
  /** Index of the rule that decided; undefined if none was about it, which denies. */
  readonly rule: number | undefined;
  /** The group that was denied, if one was. */
  readonly group: string | undefined;
  /** The same for a person: `rule 2 denies "say" in "staff" (no guests)`. */
  readonly reason: string;
}

/** The most rules in one list. */
export const MAX_RULES = 10_000;

/** UTF-16 units of a type or a group that a reason shows. */
const MAX_QUOTED_LENGTH = 100;
const FIELDS = ["allow", "deny", "types", "groups", "note"];

/**
 * A list of rules. The first one that is about the roles, the type and the group decides; what no rule is about is
 * denied. Names are compared as they are, letter case included.
 *
 * @example Usage
 * ```ts
 * import { Rules } from "./rules.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const rules = new Rules([
 *   { allow: ["admin"] },
 *   { deny: ["*"], groups: ["staff*"] },
 *   { allow: ["user"], types: ["join", "say"] },
 * ]);
 * const say = { type: "say", groups: ["lobby"] };
 * assertEquals(rules.decide({ roles: ["user"] }, say).allowed, true);
 * assertEquals(rules.decide({ roles: ["guest"] }, say).reason, 'no rule allows "say" in "lobby"');
 * assertEquals(
 *   rules.decide({ roles: ["user"] }, { type: "say", groups: ["staff-2"] }).reason,
 *   'rule 2 denies "say" in "staff-2"',
 * );
 * ```
 */
export class Rules {
  /** The rules, in order. */
  readonly rules: readonly Rule[];

  /**
   * Takes rules, from code or from `JSON.parse`.
   *
   * @param name Where they come from, for errors.
   * @throws {TypeError} If something in them is no rule; the message names the place.
   */
  constructor(rules: unknown, name = "the list") {
    if (!Array.isArray(rules)) {
      fail(name, "", "must be a list of rules", rules);
    }
    if (rules.length > MAX_RULES) {
      fail(name, "", `must have ${MAX_RULES} rules at most`, rules.length);
    }
    this.rules = rules.map((rule: unknown, index) => {
      checkRule(rule, index, name);
      return structuredCopy(rule);
    });
  }

  /** Whether somebody with these roles may do that; the same as {@linkcode Rules.decide}, without the reason. */
  allows(who: { readonly roles: readonly string[] }, action: Action): boolean {
    const { type, groups } = action;
    if (groups === undefined || groups.length === 0) {
      return this.#find(who.roles, type, undefined)?.allow !== undefined;
    }
    return groups.every((group) =>
      this.#find(who.roles, type, group)?.allow !== undefined
    );
  }

  /** Decides whether somebody with these roles may do that, and tells why. */
  decide(who: { readonly roles: readonly string[] }, action: Action): Decision {
    const { type, groups = [] } = action;
    if (groups.length === 0) return this.#decide(who.roles, type, undefined);
    let decision: Decision | undefined;
    for (const group of groups) {
      decision = this.#decide(who.roles, type, group);
      if (!decision.allowed) return decision;
    }
    return decision!;
  }

  #find(
    roles: readonly string[],
    type: string,
    group: string | undefined,
  ): Rule | undefined {
    for (const rule of this.rules) {
      if (isAbout(rule, roles, type, group)) return rule;
    }
    return undefined;
  }

  #decide(
    roles: readonly string[],
    type: string,
    group: string | undefined,
  ): Decision {
    const what = quote(type) +
      (group === undefined ? "" : ` in ${quote(group)}`);
    const rule = this.#find(roles, type, group);
    if (rule === undefined) {
      const reason = `no rule allows ${what}`;
      return { allowed: false, rule: undefined, group, reason };
    }
    const index = this.rules.indexOf(rule);
    const allowed = rule.allow !== undefined;
    const note = rule.note === undefined ? "" : ` (${rule.note})`;
    const reason = `rule ${index + 1} ${
      allowed ? "allows" : "denies"
    } ${what}${note}`;
    return {
      allowed,
      rule: index,
      group: allowed ? undefined : group,
      reason,
    };
  }
}

/**
 * Reads rules from the text of a JSON file: a list of {@linkcode Rule}.
 *
 * @param name Where the text comes from, for errors.
 * @throws {SyntaxError} If it is no JSON.
 * @throws {TypeError} If something in it is no rule; the message names the place.
 *
 * @example Usage
 * ```ts
 * import { parseRules } from "./rules.ts";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const rules = parseRules('[{"allow": ["user"], "types": ["say"]}]', "rules.json");
 * assertEquals(rules.decide({ roles: ["user"] }, { type: "say" }).allowed, true);
 * assertThrows(
 *   () => parseRules('[{"allow": ["user"], "type": "say"}]', "rules.json"),
 *   TypeError,
 *   'Cannot use rules of rules.json: [0].type is not known',
 * );
 * ```
 */
export function parseRules(text: string, name: string): Rules {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(
      `Cannot use rules of ${name}: it is no JSON: ${
        cause instanceof Error ? cause.message : cause
      }`,
      { cause },
    );
  }
  return new Rules(json, name);
}

/**
 * Whether `text` is like `pattern`, in which each `*` stands for any text. Takes time in proportion to the product of
 * their lengths at worst, whatever a peer sends.
 *
 * @example Usage
 * ```ts
 * import { matchesPattern } from "./rules.ts";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(matchesPattern("team-*", "team-7"), true);
 * assertEquals(matchesPattern("team-*", "my team-7"), false);
 * ```
 */
export function matchesPattern(pattern: string, text: string): boolean {
  if (pattern === text || pattern === "*") return true;
  let at = 0;
  let from = 0;
  let star = -1;
  let retryFrom = 0;
  while (from < text.length) {
    if (pattern[at] === "*") {
      star = at++;
      retryFrom = from;
    } else if (at < pattern.length && pattern[at] === text[from]) {
      at++;
      from++;
    } else if (star >= 0) {
      at = star + 1;
      from = ++retryFrom;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

function matchesAny(patterns: readonly string[], text: string): boolean {
  for (const pattern of patterns) {
    if (matchesPattern(pattern, text)) return true;
  }
  return false;
}

function isAbout(
  rule: Rule,
  roles: readonly string[],
  type: string,
  group: string | undefined,
): boolean {
  const { types, groups } = rule;
  if (types !== undefined && !matchesAny(types, type)) return false;
  if (groups !== undefined) {
    if (group === undefined || !matchesAny(groups, group)) return false;
  }
  const patterns = rule.allow ?? rule.deny!;
  return patterns.includes("*") ||
    roles.some((role) => matchesAny(patterns, role));
}

/** In quotes, and cut: peers choose types and groups. */
function quote(text: string): string {
  const isLong = text.length > MAX_QUOTED_LENGTH;
  return JSON.stringify(isLong ? `${text.slice(0, MAX_QUOTED_LENGTH)}…` : text);
}

function fail(
  name: string,
  place: string,
  reason: string,
  value: unknown,
): never {
  throw new TypeError(
    `Cannot use rules of ${name}: ${place}${
      place === "" ? "it " : " "
    }${reason}: current value is ${JSON.stringify(value)}`,
  );
}

function checkRule(
  rule: unknown,
  index: number,
  name: string,
): asserts rule is Rule {
  const place = `[${index}]`;
  if (typeof rule !== "object" || rule === null || Array.isArray(rule)) {
    fail(name, place, "must be an object", rule);
  }
  for (const [field, value] of Object.entries(rule)) {
    const at = `${place}.${field}`;
    // A misspelt restriction that is passed over would allow more than was meant.
    if (!FIELDS.includes(field)) {
      fail(name, at, `is not known: allowed are ${FIELDS.join(", ")}`, value);
    }
    if (field === "note") {
      if (typeof value !== "string") fail(name, at, "must be a text", value);
      continue;
    }
    if (!Array.isArray(value) || value.length === 0) {
      fail(name, at, "must be a list with at least one name", value);
    }
    value.forEach((text: unknown, nth) => {
      if (typeof text === "string" && text !== "") return;
      fail(name, `${at}[${nth}]`, "must be a name", text);
    });
  }
  if (("allow" in rule) === ("deny" in rule)) {
    fail(name, place, "must have one of allow and deny", rule);
  }
}

/** A copy that nobody changes after it was checked. */
function structuredCopy(rule: Rule): Rule {
  const entries = Object.entries(rule).map(([field, value]) => [
    field,
    Array.isArray(value) ? Object.freeze([...value]) : value,
  ]);
  return Object.freeze(Object.fromEntries(entries));
}
