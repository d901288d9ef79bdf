/** The same object without the keys whose value is undefined: absent is absent, not a key. */
export function dropAbsent<T extends object>(
  values: T,
): { readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
} {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as ReturnType<typeof dropAbsent<T>>;
}
