import { RemoteProtocolError } from "../errors.ts";

/**
 * The part of [Standard Schema](https://standardschema.dev) that a codec uses; Zod, Valibot, ArkType and others
 * implement it. The schema must validate synchronously.
 *
 * @typeParam T What the schema makes of a sound value.
 */
export interface StandardSchema<T> {
  /** The properties of the standard. */
  readonly "~standard": {
    /** Version of the standard. */
    readonly version: 1;
    /** Which library made the schema. */
    readonly vendor: string;
    /** Checks a value. */
    readonly validate: (
      value: unknown,
    ) => SchemaResult<T> | Promise<SchemaResult<T>>;
  };
}

/** The outcome of a {@linkcode StandardSchema}: a value, or the issues found. */
export type SchemaResult<T> =
  | { readonly value: T; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

/** Turns what was decoded into a message: a function that throws if it cannot, or a schema. */
export type Validate<T> = ((value: unknown) => T) | StandardSchema<T>;

/** Makes one function of what an application gave as `validate`; refusals are `invalid_message` and recoverable. */
export function validator<T>(
  validate: Validate<T> | undefined,
): (value: unknown) => T {
  if (validate === undefined) return (value) => value as T;
  if ("~standard" in validate) {
    const schema = validate["~standard"];
    return (value) => {
      const result = schema.validate(value);
      if (result instanceof Promise) {
        throw new TypeError(
          `Cannot validate message: the schema of '${schema.vendor}' is asynchronous`,
        );
      }
      if (result.issues) {
        const reasons = result.issues.map((issue) => issue.message);
        throw invalidMessage(reasons.join("; "));
      }
      return result.value;
    };
  }
  return (value) => {
    try {
      return validate(value);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw invalidMessage(reason, cause);
    }
  };
}

function invalidMessage(reason: string, cause?: unknown): RemoteProtocolError {
  return new RemoteProtocolError(
    "invalid_message",
    `Cannot accept message: ${reason}`,
    { recoverable: true, cause },
  );
}
