/** The names of the methods of `Api`. */
export type RpcName<Api> = keyof Api & string;

/** The parameters of a method. */
export type RpcParams<Method> = Method extends
  (params: infer Params, ...rest: never[]) => unknown ? Params : never;

/** What a method answers. */
export type RpcResult<Method> = Method extends
  (...parameters: never[]) => infer Result
  ? Result extends AsyncGenerator<unknown, infer Returned> ? Returned
  : Awaited<Result>
  : never;

/** What a method that is a generator sends before it answers. */
export type RpcItem<Method> = Method extends
  (...parameters: never[]) => AsyncGenerator<infer Item> ? Item : unknown;

/** Any methods, with any parameters and results. */
export interface RpcUntyped {
  /** A method. */
  [name: string]: (params?: object) => unknown;
}
