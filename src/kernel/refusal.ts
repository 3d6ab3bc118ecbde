/**
 * A refusal is an expected "no": the caller did something that the rules do not allow and can be told so. It ends as a
 * GraphQL union member, a 4xx or a screen. Faults (something broke) and bugs (something impossible) are not refusals.
 */
export abstract class Refusal extends Error {
  /** Stable, upper snake case; what a program reads. The message is what a person reads. */
  abstract readonly code: string;
  /** The input field that caused it, when one field did. */
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.name = new.target.name;
    this.field = field;
  }
}

/** The named thing does not exist, or the asker may not see it; both read the same on purpose. */
export class NotFound extends Refusal {
  readonly code = "NOT_FOUND";
  constructor(what: string, field?: string) {
    super(`There is no such ${what}.`, field);
  }
}

/** The value of a field cannot be used; the message says what would be accepted. */
export class InvalidInput extends Refusal {
  readonly code = "INVALID_INPUT";
}

/** The thing exists, but is in a state that does not allow the act. */
export class NotAllowedNow extends Refusal {
  readonly code = "NOT_ALLOWED_NOW";
}

/** The same idempotency key arrived with another body: one of the two is a mistake, so neither is guessed. */
export class IdempotencyConflict extends Refusal {
  readonly code = "IDEMPOTENCY_CONFLICT";
  constructor() {
    super(
      "This idempotency key was already used for another request. Use a new key for a new request.",
      "idempotencyKey",
    );
  }
}

/** Too many attempts; the message says when to try again. */
export class TooMany extends Refusal {
  readonly code = "TOO_MANY_REQUESTS";
  readonly retryAt: Date;
  constructor(message: string, retryAt: Date) {
    super(message);
    this.retryAt = retryAt;
  }
}

/** Who asks is known, but may not do this. */
export class Forbidden extends Refusal {
  readonly code = "FORBIDDEN";
  constructor(message = "Your role does not allow this.") {
    super(message);
  }
}

/** Narrows a union by proof: reaching it means a case was forgotten. */
export function impossible(value: never): never {
  throw new Error(`Impossible value: ${JSON.stringify(value)}`);
}
