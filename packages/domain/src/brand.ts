declare const brand: unique symbol;

/** A type that only one parse function makes, so that nobody checks its text twice. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
