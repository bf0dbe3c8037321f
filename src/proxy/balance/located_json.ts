import {
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "npm:jsonc-parser@3.3.1";

/** Reads a value of a file. */
export type Reader<T> = (value: LocatedJson) => T;

/** A value in a JSON file that knows where it stands. */
export class LocatedJson {
  readonly #path: string;
  readonly #text: string;
  readonly #node: Node;

  private constructor(path: string, text: string, node: Node) {
    this.#path = path;
    this.#text = text;
    this.#node = node;
  }

  /**
   * Parses the text of the file `path`; comments are allowed.
   *
   * @throws {SyntaxError} If it is no JSON; the message names line and column.
   */
  static parse(text: string, path: string): LocatedJson {
    const faults: ParseError[] = [];
    const node = parseTree(text, faults);
    const [fault] = faults;
    if (fault === undefined && node !== undefined) {
      return new LocatedJson(path, text, node);
    }
    const code = fault === undefined
      ? "there is nothing"
      : printParseErrorCode(fault.error)
        .replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`)
        .toLowerCase();
    throw faultAt(path, text, fault?.offset ?? 0, `it is no JSON: ${code}`);
  }

  /** The value. */
  get value(): unknown {
    return this.#node.value;
  }

  /** Whether it is an object. */
  get isObject(): boolean {
    return this.#node.type === "object";
  }

  /** An error that names the place of this value. */
  fault(reason: string): SyntaxError {
    return faultAt(this.#path, this.#text, this.#node.offset, reason);
  }

  /** Reads it, and names its place if `read` throws. */
  read<T>(read: Reader<T>): T {
    try {
      return read(this);
    } catch (error) {
      if (error instanceof LocatedFault) throw error;
      throw this.fault(error instanceof Error ? error.message : String(error));
    }
  }

  /** The elements of an array. */
  elements(): LocatedJson[] {
    const { type, children = [] } = this.#node;
    if (type !== "array") throw this.fault("a list is expected");
    return children.map((child) => this.#at(child));
  }

  /** The members of an object, whose keys must be among `allowed`, each once. */
  members(allowed: readonly string[]): Map<string, LocatedJson> {
    const { type, children = [] } = this.#node;
    if (type !== "object") throw this.fault("an object is expected");
    const members = new Map<string, LocatedJson>();
    for (const { children: [key, value] = [] } of children) {
      const name = String(key!.value);
      if (!allowed.includes(name)) {
        throw this.#at(key!).fault(
          `unknown key "${name}": allowed are ${allowed.join(", ")}`,
        );
      }
      if (members.has(name)) {
        throw this.#at(key!).fault(`the key "${name}" is there twice`);
      }
      members.set(name, this.#at(value!));
    }
    return members;
  }

  #at(node: Node): LocatedJson {
    return new LocatedJson(this.#path, this.#text, node);
  }
}

class LocatedFault extends SyntaxError {}

function faultAt(
  path: string,
  text: string,
  offset: number,
  reason: string,
): SyntaxError {
  const before = text.slice(0, offset).split("\n");
  const line = before.length;
  const column = before.at(-1)!.length + 1;
  return new LocatedFault(
    `Cannot use ${path}: line ${line}, column ${column}: ${reason}`,
  );
}

/** Reads an object: each key by its reader. */
export function object<T extends Record<string, Reader<unknown>>>(
  fields: T,
): Reader<{ -readonly [K in keyof T]?: ReturnType<T[K]> }> {
  return (value) => {
    const read: Record<string, unknown> = {};
    for (const [name, member] of value.members(Object.keys(fields))) {
      read[name] = member.read(fields[name]!);
    }
    // Each key was read by the reader of its type.
    return read as { -readonly [K in keyof T]?: ReturnType<T[K]> };
  };
}

/** Reads a list. */
export function list<T>(read: Reader<T>): Reader<T[]> {
  return (value) => value.elements().map((element) => element.read(read));
}

/** Reads a text, which `check` may refuse. */
export function text(check?: (text: string) => unknown): Reader<string> {
  return (located) => {
    const { value } = located;
    if (typeof value !== "string") throw located.fault("a text is expected");
    check?.(value);
    return value;
  };
}

/** Reads one of several texts. */
export function choice<const T extends string>(
  ...choices: readonly T[]
): Reader<T> {
  return (located) => {
    const found = choices.find((one) => one === located.value);
    if (found !== undefined) return found;
    throw located.fault(
      `one of ${choices.join(", ")} is expected: current value is ${
        JSON.stringify(located.value)
      }`,
    );
  };
}

/** Reads a number. */
export function number(least: number, most = Infinity): Reader<number> {
  return (located) => {
    const { value } = located;
    if (typeof value === "number" && value >= least && value <= most) {
      return value;
    }
    const upTo = most === Infinity ? "" : ` to ${most}`;
    throw located.fault(
      `a number from ${least}${upTo} is expected: current value is ${
        JSON.stringify(value)
      }`,
    );
  };
}

/** Reads a whole number. */
export function whole(least: number, most = Infinity): Reader<number> {
  const read = number(least, most);
  return (located) => {
    const value = read(located);
    if (Number.isInteger(value)) return value;
    throw located.fault(
      `a whole number is expected: current value is ${value}`,
    );
  };
}

/** Reads true or false. */
export const boolean: Reader<boolean> = (located) => {
  const { value } = located;
  if (typeof value === "boolean") return value;
  throw located.fault("true or false is expected");
};
